"""docs/add_a_method.md: its two files, as they stand there, train, test and count."""

import os
import re
import subprocess
import sys

import pytest

from tests.test_configs import ONE_EPOCH, ROOT
from tests.tiny_set import data_options


@pytest.fixture
def files(tmp_path):
    """The page's code blocks, each under the name in the heading above it."""
    page = (ROOT / 'docs/add_a_method.md').read_text()
    blocks = re.findall(r'^## [^\n]*`(\w+\.py)`\n\n```python\n(.*?)```', page, re.M | re.S)
    assert [name for name, _ in blocks] == ['motion_sampler.py', 'motion_sampler_mini.py']
    for name, code in blocks:
        (tmp_path / name).write_text(code)
    return tmp_path


def test_the_page(files, glancebench):
    options = data_options('glancebench', None, glancebench)
    environment = {**os.environ, 'PYTHONPATH': str(files), 'OMP_NUM_THREADS': '1'}

    def run(tool, *arguments, **more):
        pairs = [f'{key}={value}' for key, value in (options | more).items()]
        done = subprocess.run(
            [sys.executable, tool, files / 'motion_sampler_mini.py', *arguments,
             '--cfg-options', *pairs], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    log = run('tools/train.py', '--work-dir', files, **ONE_EPOCH)
    assert 'loss_cls' in log
    log = run('tools/test.py', files / 'epoch_1.pth', '--work-dir', files)
    assert 'cost/frames_focused: 4.0' in log
    stated = float(re.search(r'cost/gmacs_mean: ([\d.]+)', log)[1])
    log = run('tools/analysis_tools/get_flops.py', '--shape', '112', '112')
    total = float(re.search(r'([\d.]+) GMACs', log)[1])
    assert stated == pytest.approx(total, abs=1e-3)
