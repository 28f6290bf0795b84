"""Processes that die: resumed after kills, restarted by torchrun, reported with their file."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from avgn_mm.datasets.now_reading import now_reading, read_by
from avgn_mm.engine.launch import naming_files_of_dead_workers
from tests.tools.test_runners import ROOT, TOY_CONFIG, TOY_MODULE, free_port, run

KILLER = '''
import os
import signal

from mmengine.hooks import Hook

from avgn_mm.registry import HOOKS


@HOOKS.register_module()
class KillRank(Hook):
    """SIGKILL the second rank in the second epoch, unless torchrun has started it again."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        first = os.environ['TORCHELASTIC_RESTART_COUNT'] == '0'
        if first and runner.rank == 1 and (runner.epoch, batch_idx) == (1, 1):
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.mark.slow
def test_kills_at_random_moments():
    """A few of what ``python -m tests.robustness.kills --kills 100`` does."""
    done = subprocess.run(
        [sys.executable, '-m', 'tests.robustness.kills', '--kills', '5', '--within-epochs', 'yes'],
        cwd=ROOT, timeout=300, capture_output=True, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''})
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert '5 of 5 kills were resumed' in done.stdout


@pytest.mark.slow
def test_torchrun_restarts_after_a_killed_rank(tmp_path, monkeypatch):
    (tmp_path / 'toy_module.py').write_text(TOY_MODULE + KILLER)
    (tmp_path / 'toy.py').write_text(TOY_CONFIG + "custom_hooks = [dict(type='KillRank')]\n")
    monkeypatch.setenv('PORT', free_port())
    monkeypatch.setenv('MAX_RESTARTS', '1')
    log = run(tmp_path, 'bash', ROOT / 'tools' / 'dist_train.sh', 'toy.py', 2, '--resume',
              '--seed', '0', '--no-validate', '--cfg-options', 'train_cfg.max_epochs=3',
              'default_hooks.checkpoint.save_best=None')
    assert re.search(r'exitcode: -9\) local_rank: 1', log)
    assert 'resumed epoch: 1, iter: 2' in log
    assert (tmp_path / 'work_dirs/toy/last_checkpoint').read_text().endswith('epoch_3.pth')


def test_a_restart_without_resume_is_refused(monkeypatch, tmp_path):
    import runpy
    (tmp_path / 'toy.py').write_text("default_scope = 'avgn_mm'")
    monkeypatch.setattr(sys, 'argv', ['train.py', str(tmp_path / 'toy.py')])
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '2')
    with pytest.raises(ValueError, match='restart 2 of torchrun would train from the beginning'):
        runpy.run_path(str(ROOT / 'tools' / 'train.py'), run_name='__main__')


class Deadly(Dataset):
    """Killed within the third file."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with now_reading(f'videos/{index}.mp4'):
            if index == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(1)


def test_dead_worker_is_reported_with_its_file():
    with pytest.raises(RuntimeError, match=(
            r'DataLoader worker \(pid.* It was reading videos/2\.mp4\. .* with --resume')):
        with naming_files_of_dead_workers():
            list(DataLoader(Deadly(), num_workers=1, batch_size=1))


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match='^something else$'), naming_files_of_dead_workers():
        raise RuntimeError('something else')
    assert read_by(os.getpid()) is None


def test_what_workers_read_is_noted_by_the_dataset(videos):
    """AudioVisualDataset notes the file while its pipeline runs."""
    from avgn_mm.registry import DATASETS
    listed = Path(videos) / 'train.txt'
    dataset = DATASETS.build(dict(
        type='avgn_mm.AudioVisualDataset', ann_file=str(listed), data_prefix=dict(
            video=str(videos)), pipeline=[lambda results: os.kill(os.getpid(), signal.SIGKILL)]))
    with pytest.raises(RuntimeError, match=r'reading \S*v_a\.mp4'):
        with naming_files_of_dead_workers():
            list(DataLoader(dataset, num_workers=1, batch_size=1))
