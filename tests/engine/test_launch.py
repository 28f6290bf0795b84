"""How the tools start and end their processes."""

import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = '''
from pathlib import Path
import torch
from avgn_mm.engine.launch import leave_processes

def train():
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    model(torch.ones(1, 2)).sum().backward()
    runner = type('Runner', (), {})()
    runner.model, runner.runner = model, runner  # a circle, as of MMEngine's runner and hooks

torch.distributed.init_process_group('gloo')
train()
leave_processes()
print([task.read_text() for task in Path('/proc/self/task').glob('*/comm')])
'''


@pytest.mark.skipif(not os.path.exists('/proc/self/task'), reason='needs Linux')
def test_no_thread_of_gloo_outlives_the_run():
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(SCRIPT)], capture_output=True, text=True,
        env={**os.environ, 'RANK': '0', 'WORLD_SIZE': '1', 'MASTER_ADDR': '127.0.0.1',
             'MASTER_PORT': '0'})
    assert done.returncode == 0, done.stderr
    assert 'gloo' not in done.stdout and 'python' in done.stdout
