"""Each repair of ``avgn_mm.compat`` does its work, and skips once upstream is healed."""

import errno
import importlib.util
import io
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import put_text
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OneCycleLR
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint

import avgn_mm.registry  # noqa: F401
from avgn_mm import compat


class Bomb:
    """Creates a file when it is unpickled without protection."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture
def bomb(tmp_path):
    """A checkpoint that would create ``exploded`` beside itself."""
    path = tmp_path / 'bomb.pth'
    torch.save(dict(state_dict={}, meta=Bomb(tmp_path / 'exploded')), path)
    return path


def refuses(load, path):
    with pytest.raises(pickle.UnpicklingError, match=r'refused.*open') as caught:
        load()
    assert path.name in str(caught.value)
    assert not (path.parent / 'exploded').exists()


def test_mmaction_models_can_be_imported():
    root = Path(importlib.util.find_spec('mmaction').origin).parent
    if (root / 'models' / 'localizers' / 'drn').is_dir():
        pytest.skip('healed: mmaction ships models/localizers/drn')
    from mmaction.models.localizers.drn.drn import DRN

    assert DRN.__doc__ == "Absent from MMAction2's wheel."
    assert importlib.import_module('mmaction.models').TSNHead


def test_apply_twice_changes_nothing():
    schemes = dict(CheckpointLoader._schemes)
    safe_globals = set(torch.serialization.get_safe_globals())
    compat.apply()
    assert dict(CheckpointLoader._schemes) == schemes
    assert set(torch.serialization.get_safe_globals()) == safe_globals


def test_all_schemes_are_protected():
    assert {'', 'http://', 'https://', 'torchvision://', 'modelzoo://', 'open-mmlab://',
            'openmmlab://', 'mmcls://', 'pavi://'} <= set(CheckpointLoader._schemes)  # fmt: skip
    assert all(loader.weights_only for loader in CheckpointLoader._schemes.values())
    # MMEngine logs the name without its first ten letters as the backend.
    assert CheckpointLoader._schemes[''].__name__ == 'load_from_local'


@pytest.mark.parametrize('setting', ['default', 'asks for weights_only=False', 'environment'])
def test_local_bomb_is_refused(bomb, monkeypatch, setting):
    if setting == 'environment':
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    if setting.startswith('asks'):  # as MMEngine 0.11 does
        wrapped = compat._weights_only(
            lambda filename, map_location: torch.load(filename, weights_only=False)
        )
        refuses(lambda: wrapped(str(bomb), None), bomb)
    refuses(lambda: load_checkpoint(torch.nn.Linear(1, 1), str(bomb)), bomb)
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ
    assert ('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' in os.environ) == (setting == 'environment')


def test_downloaded_bomb_is_refused(bomb, monkeypatch):
    # torch.hub takes what lies in its cache for downloaded, so no network is needed.
    cache = bomb.parent / 'hub' / 'checkpoints'
    cache.mkdir(parents=True)
    cached = cache / 'bomb.pth'
    cached.write_bytes(bomb.read_bytes())
    monkeypatch.setenv('TORCH_HOME', str(bomb.parent))
    refuses(lambda: CheckpointLoader.load_checkpoint('https://example.invalid/bomb.pth'), bomb)


def test_zoo_bomb_is_refused(bomb, monkeypatch):
    monkeypatch.setenv('MMENGINE_HOME', str(bomb.parent))
    (bomb.parent / 'open_mmlab.json').write_text('{"bomb": "bomb.pth"}')
    with pytest.raises(pickle.UnpicklingError, match='open-mmlab://bomb was refused'):
        CheckpointLoader.load_checkpoint('open-mmlab://bomb')
    assert not (bomb.parent / 'exploded').exists()


class _Empty(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


@pytest.mark.parametrize('resume', [False, True], ids=['load_from', 'resume'])
def test_runner_refuses_bomb(bomb, resume):
    runner = Runner(
        model=_Empty(),
        work_dir=str(bomb.parent / 'work'),
        load_from=str(bomb),
        resume=resume,
        default_hooks=dict(logger=None),
        experiment_name=f'bomb-{resume}',
    )
    refuses(runner.load_or_resume, bomb)


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
def test_broken_file_is_named(tmp_path, content):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match='broken.pth cannot be'):
        CheckpointLoader.load_checkpoint(str(path))


def test_missing_file_keeps_its_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'missing.pth'))


def test_own_checkpoint_loads():
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    buffer = io.BytesIO()
    torch.save(
        dict(
            history=history,
            best=np.float64(0.5),
            step=np.int64(7),
            flag=np.bool_(True),
            counts=np.arange(3),
        ),
        buffer,
    )
    buffer.seek(0)
    assert b'getattr' not in buffer.getvalue()
    loaded = torch.load(buffer, weights_only=True)
    assert loaded['history'].mean() == 2.0
    assert loaded['history'].statistics('max') == 3.0
    assert (loaded['best'], loaded['step'], bool(loaded['flag'])) == (0.5, 7, True)
    assert loaded['counts'].tolist() == [0, 1, 2]
    history.update(5.0)
    assert history.statistics('current') == 5.0


SAVE_UNREPAIRED = """
import sys, torch
from mmengine.logging import HistoryBuffer
torch.save(dict(history=HistoryBuffer([1.0, 3.0], [1, 1])), sys.argv[1])
try:
    torch.load(sys.argv[1])
except Exception:
    sys.exit(3)
"""


def test_checkpoint_of_stock_mmengine_loads(tmp_path):
    path = str(tmp_path / 'stock.pth')
    code = subprocess.run([sys.executable, '-c', SAVE_UNREPAIRED, path], check=False).returncode
    if code == 0:
        pytest.skip('healed: mmengine and torch load a HistoryBuffer by themselves')
    loaded = CheckpointLoader.load_checkpoint(path)
    assert loaded['history'].statistics('min') == 1.0


class Lookup:
    """Unpickles to ``getattr(owner, name)``."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return getattr, self.args


@pytest.mark.parametrize(
    'args', [(HistoryBuffer, '__init__'), (np.ndarray, 'tofile'), (HistoryBuffer, 'update')]
)
def test_getattr_reaches_statistics_only(args):
    buffer = io.BytesIO()
    torch.save(Lookup(*args), buffer)
    buffer.seek(0)
    with pytest.raises(pickle.UnpicklingError, match='getattr'):
        torch.load(buffer, weights_only=True)


def test_environment_is_forced_for_all_threads(tmp_path):
    """A load that ends must not take the protection from one that still runs."""
    entered, leave, seen = threading.Event(), threading.Event(), []

    def slow(filename, map_location):
        entered.set()
        leave.wait(5)
        seen.append(os.environ.get('TORCH_FORCE_WEIGHTS_ONLY_LOAD'))

    def quick(filename, map_location):
        seen.append(os.environ.get('TORCH_FORCE_WEIGHTS_ONLY_LOAD'))

    loaders = [compat._weights_only(load) for load in (slow, quick)]
    threads = [threading.Thread(target=load, args=('file',)) for load in loaders]
    threads[0].start()
    entered.wait(5)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join()
    assert seen == ['1', '1']
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_config_names_resolve_in_a_base(tmp_path):
    mim = Path(compat.__file__).parent / '.mim'
    assert mim.is_dir(), 'avgn_mm is not installed: run `make env` or `pip install -e .`'
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'avgn_mm::_base_/default_runtime.py'\n")
    assert Config.fromfile(config).default_scope == 'avgn_mm'


def test_files_are_written_whole(tmp_path, monkeypatch):
    path = tmp_path / 'folder' / 'a.txt'
    put_text('old', str(path))
    link = tmp_path / 'link'
    link.symlink_to(path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch, pytest.raises(OSError, match=f"device: '{path}'"):
        patch.setattr(os, 'fsync', full)
        put_text('new', str(path))
    assert path.read_text() == 'old' and list(path.parent.iterdir()) == [path]
    put_text('new', str(link))
    assert path.read_text() == 'new' and link.is_symlink()
    put_text('gone', os.devnull)


def test_schedules_are_saved_without_functions():
    parameter = torch.nn.Parameter(torch.zeros(1))
    steps = []
    for _ in range(2):
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        steps.append(OneCycleLR(optimizer, eta_max=1.0, total_steps=8))
    for _ in range(3):
        steps[0].step()
    buffer = io.BytesIO()
    torch.save(steps[0].state_dict(), buffer)
    buffer.seek(0)
    steps[1].load_state_dict(torch.load(buffer, weights_only=True))
    for schedule in steps:
        schedule.step()
    assert steps[0].get_last_value() == steps[1].get_last_value()
