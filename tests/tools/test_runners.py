"""The runners from outside: train, resume, test, several CPU processes, MMAction2's own train.py.

The config is a toy of a few parameters, so that what costs time is starting the processes.
"""

import importlib.util
import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]

TOY_MODULE = '''
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch.utils.data import Dataset

from avgn_mm.registry import DATASETS, MODELS


@DATASETS.register_module()
class ToyPoints(Dataset):
    """Points on a line whose sign is their class."""

    metainfo = dict(classes=('minus', 'plus'))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        label = index % 2
        sample = ActionDataSample().set_gt_label(label)
        return dict(inputs=torch.tensor([(index + 1.0) * (2 * label - 1)]), data_samples=sample)


@MODELS.register_module()
class ToyRecognizer(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 2)
        self.unused = torch.nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        scores = self.fc(torch.stack(list(inputs)))
        if mode == 'loss':
            labels = torch.cat([sample.gt_label for sample in data_samples])
            return dict(loss_cls=torch.nn.functional.cross_entropy(scores, labels))
        for sample, score in zip(data_samples, scores):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return data_samples
'''

TOY_CONFIG = '''
default_scope = 'avgn_mm'
custom_imports = dict(imports=['toy_module'], allow_failed_imports=False)
model = dict(type='ToyRecognizer')
find_unused_parameters = True
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type='ToyPoints'))
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type='ToyPoints'))
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
param_scheduler = dict(type='CosineAnnealingLR', T_max=10)
auto_scale_lr = dict(enable=False, base_batch_size=8)
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='acc/top1'))
'''


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """A folder with the toy config, outside the checkout."""
    folder = tmp_path_factory.mktemp('toy')
    (folder / 'toy_module.py').write_text(TOY_MODULE)
    (folder / 'toy.py').write_text(TOY_CONFIG)
    return folder


def run(folder, *command, fails=False):
    """Run a command in the toy's folder, and return what it printed."""
    env = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(ROOT), str(folder)]),
        PYTHON=sys.executable,
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
    )
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output[-4000:]
    return output


@pytest.fixture(scope='module')
def trained(toy):
    """The log of one epoch in the default work directory."""
    flags = ['--auto-scale-lr', '--seed', '0', '--cfg-options', 'log_processor.window_size=1']
    return run(toy, sys.executable, ROOT / 'tools' / 'train.py', 'toy.py', *flags)


def test_train(toy, trained):
    assert (toy / 'work_dirs' / 'toy' / 'epoch_1.pth').is_file()
    assert 'Effective learning rate: 0.1 x 2 / 8 = 0.025' in trained
    assert re.search(r'lr: 2.\d+e-02', trained)
    assert 'acc/top1' in trained
    assert 'Failed to search registry' not in trained


def test_resume_auto(toy, trained):
    command = [sys.executable, ROOT / 'tools' / 'train.py', 'toy.py', '--resume', 'auto']
    log = run(toy, *command, '--no-validate', '--cfg-options', 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1, iter: 4' in log
    assert 'Epoch(train) [1]' not in log and 'Epoch(train) [2]' in log
    assert 'Epoch(val)' not in log
    checkpoint = torch.load(toy / 'work_dirs/toy/epoch_2.pth', weights_only=False)
    assert checkpoint['meta']['seed'] == 0  # of the run that it went on with


def test_test(toy, trained):
    checkpoint = toy / 'work_dirs' / 'toy' / 'epoch_1.pth'
    flags = ['--dump', 'out.pkl', '--work-dir', 'tested']
    log = run(toy, sys.executable, ROOT / 'tools' / 'test.py', 'toy.py', checkpoint, *flags)
    assert 'acc/top1' in log
    assert len(pickle.loads((toy / 'out.pkl').read_bytes())) == 8
    assert (toy / 'tested').is_dir()


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def test_two_cpu_processes(toy, trained, monkeypatch):
    """Over gloo, with a wrapper that the config asks for, and a space in the config's name."""
    monkeypatch.setenv('PORT', free_port())
    wrapper = "model_wrapper_cfg = dict(type='MMDistributedDataParallel')\n"
    (toy / 'with space.py').write_text("_base_ = 'toy.py'\n" + wrapper)
    script = [ROOT / 'tools' / 'dist_test.sh', 'with space.py',
              toy / 'work_dirs/toy/epoch_1.pth', 2]
    log = run(toy, 'bash', *script, '--work-dir', 'two processes')
    assert 'Distributed training: True' in log and 'GPU number: 2' in log
    assert 'acc/top1' in log


def test_stock_train_runs_our_config(toy):
    package = Path(importlib.util.find_spec('mmaction').origin).parent
    stock = package / '.mim' / 'tools' / 'train.py'
    log = run(toy, sys.executable, stock, 'toy.py', '--work-dir', 'stock')
    assert (toy / 'stock' / 'epoch_1.pth').is_file()
    assert 'Failed to search registry' not in log


@pytest.mark.parametrize(
    ('script', 'given', 'expected'),
    [
        ('slurm_train.sh', ['toy.py', '--seed', '1'], ['train.py', 'toy.py']),
        ('slurm_test.sh', ['my toy.py', 'a.pth'], ['test.py', 'my toy.py', 'a.pth']),
    ],
)
def test_slurm_command(toy, monkeypatch, script, given, expected):
    """``srun`` is replaced by a script that prints its arguments, one a line."""
    fake = toy / 'bin' / 'srun'
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv('PATH', f'{fake.parent}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setenv('GPUS', '2')
    monkeypatch.setenv('GPUS_PER_NODE', '2')
    monkeypatch.setenv('SRUN_ARGS', '--time 10')
    lines = run(toy, 'bash', ROOT / 'tools' / script, 'part', 'job name', *given).splitlines()
    assert {'--job-name=job name', '--gres=gpu:2', '--ntasks=2', '--time', '10'} <= set(lines)
    expected[0] = str(ROOT / 'tools' / expected[0])
    start = lines.index(expected[0])
    assert lines[start : start + len(expected)] == expected
    assert lines[start + len(expected) :] == ['--launcher', 'slurm', *given[len(expected) - 1 :]]


def test_scripts_say_their_usage(toy):
    for script in (ROOT / 'tools').glob('*.sh'):
        assert f'bash tools/{script.name}' in run(toy, 'bash', script, fails=True)
