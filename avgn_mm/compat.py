"""Repairs of faults in the frameworks below, one guarded function each.

``avgn_mm.registry`` calls :func:`apply` before anything else of MMAction2 is imported, so whatever
finds our modules through a registry also runs on repaired ground, MMAction2's stock tools
included. A test per repair skips once the fault is gone, which is the sign to delete the repair.
"""

import contextlib
import functools
import importlib.util
import os
import pickle
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import yaml
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.fileio import LocalBackend
from mmengine.fileio.handlers import yaml_handler
from mmengine.logging import HistoryBuffer
from mmengine.optim import _ParamScheduler
from mmengine.runner import CheckpointLoader

# Loaders of several threads must not restore the environment under one another's feet.
_ENVIRONMENT_LOCK = threading.RLock()


def stub_missing_drn() -> None:
    """Let ``mmaction.models`` be imported from a wheel (mmaction2 #2714).

    The folder ``models/localizers/drn`` has no ``__init__.py``, so MMAction2 1.2.0's wheel lacks
    it while ``localizers/__init__.py`` imports it.
    """
    name = 'mmaction.models.localizers.drn'
    root = Path(importlib.util.find_spec('mmaction').origin).parent
    if name in sys.modules or (root / 'models' / 'localizers' / 'drn').is_dir():
        return
    package = types.ModuleType(name)
    package.drn = types.ModuleType(f'{name}.drn')
    package.drn.DRN = type('DRN', (), {'__doc__': "Absent from MMAction2's wheel."})
    sys.modules[name] = package
    sys.modules[f'{name}.drn'] = package.drn


def _history_statistic(owner: type, name: str) -> Callable:
    """What a checkpoint gets when it asks for ``getattr``: one of HistoryBuffer's statistics.

    Pickle's protocol 2 writes the method ``HistoryBuffer.min`` as ``getattr(HistoryBuffer,
    'min')``. The real ``getattr`` would hand a foreign file any attribute of any allowed object.
    """
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'GLOBAL getattr({owner}, {name!r}) was not allowed')
    return getattr(owner, name)


# The unpickler finds an allowed function by these two names.
_history_statistic.__module__, _history_statistic.__qualname__ = 'builtins', 'getattr'


def save_histories_without_methods() -> None:
    """Keep ``getattr`` out of the checkpoints that we write.

    ``HistoryBuffer.__getstate__`` adds its table of methods to the state. ``__setstate__`` does
    not need it, and PyTorch is about to refuse any file that names ``getattr`` (pytorch #191609).
    """
    if 'statistics_methods' in HistoryBuffer().__getstate__():
        HistoryBuffer.__getstate__ = lambda self: {
            name: value for name, value in vars(self).items() if name != 'statistics_methods'
        }


def save_schedules_without_functions() -> None:
    """Keep functions out of the state of schedules, so that checkpoints with OneCycleLR load.

    Its state is all that the scheduler holds, the function that it draws the curve by included,
    which ``weights_only=True`` refuses; the constructor knows it.
    """
    scheduler = types.SimpleNamespace(value=1, function=len)
    if 'function' in _ParamScheduler.state_dict(scheduler):
        _ParamScheduler.state_dict = lambda self: {
            name: value for name, value in vars(self).items()
            if name != 'optimizer' and not callable(value)
        }


def allow_checkpoint_globals() -> None:
    """Allow-list what MMEngine's own checkpoints hold besides tensors (mmengine #1655, #1650).

    ``weights_only=True`` refuses the logged histories of the message hub: ``HistoryBuffer``, the
    NumPy arrays in it, and NumPy scalars such as the best score. Histories that others saved name
    ``getattr`` too, for which :func:`_history_statistic` stands in.
    """
    if HistoryBuffer in torch.serialization.get_safe_globals():
        return
    reconstruct, (array_type, *_), _ = np.zeros(1).__reduce__()
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefd'}
    torch.serialization.add_safe_globals(
        [HistoryBuffer, _history_statistic, reconstruct, array_type, scalar, np.dtype, *dtypes]
    )


@contextlib.contextmanager
def _weights_only_environment() -> Iterator[None]:
    """Make every ``torch.load`` inside use ``weights_only=True``, whatever its caller asks for.

    MMEngine's loaders offer no argument for it; PyTorch's environment switch overrules even the
    explicit ``weights_only=False`` of MMEngine 0.11 and of ``torch.hub``.
    """
    force, forbid = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    with _ENVIRONMENT_LOCK:
        before = {name: os.environ.pop(name, None) for name in (force, forbid)}
        os.environ[force] = '1'
        try:
            yield
        finally:
            del os.environ[force]
            os.environ.update({k: v for k, v in before.items() if v is not None})


def _weights_only(loader: Callable) -> Callable:
    """Wrap a loader of ``CheckpointLoader`` so that it refuses to run code out of a file."""

    @functools.wraps(loader)
    def load(filename, map_location=None, **kwargs):
        try:
            with _weights_only_environment():
                checkpoint = loader(filename, map_location, **kwargs)
            # MMEngine would execute it as Python when it resumes; it writes no such entry itself.
            if isinstance(checkpoint, dict) and isinstance(checkpoint.get('meta'), dict):
                checkpoint['meta'].pop('config', None)
            return checkpoint
        except pickle.UnpicklingError as error:
            # PyTorch's own message is long and advises `weights_only=False`.
            found = re.search(r'GLOBAL (.+?)(?: was not| whose module)', str(error))
            if found is None:
                reason = str(error).partition('WeightsUnpickler error:')[2] or str(error)
                raise pickle.UnpicklingError(
                    f'{filename} cannot be read as a checkpoint: {reason.strip().splitlines()[0]}'
                ) from error
            raise pickle.UnpicklingError(
                f'{filename} was refused: besides weights it holds "{found[1]}", and unpickling '
                'that could run code of whoever wrote the file. If you trust the writer, load it '
                'once with torch.load(..., weights_only=False) in a script of your own and '
                "torch.save only its 'state_dict'; that file will load here."
            ) from error
        except (RuntimeError, EOFError) as error:
            raise RuntimeError(f'{filename} cannot be loaded: {error}') from error

    load.weights_only = True
    return load


def load_weights_only() -> None:
    """Make all of MMEngine's checkpoint loaders pass ``weights_only=True`` (mmengine #1670).

    MMEngine 0.10 leaves the choice to PyTorch (whose hub loader says False), and the 0.11
    pre-releases pass False: ``load_from=`` an unknown file then runs whatever that file holds.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'weights_only', False):
            CheckpointLoader.register_scheme(prefix, _weights_only(loader), force=True)


def _put_whole(self, obj: bytes, filepath: str | os.PathLike) -> None:
    """Write a local file so that a reader finds the old content or the new, and nothing between.

    Raises:
        OSError: If it cannot be written; what was there before is still there.
    """
    filepath = os.path.realpath(filepath)
    folder = os.path.dirname(filepath)
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(filepath) and not os.path.isfile(filepath):  # a device or a pipe
        Path(filepath).write_bytes(obj)
        return
    partial = f'{filepath}.{os.getpid()}.partial'
    try:
        with open(partial, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, filepath)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(partial)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, filepath) from error
        raise
    # The new name is on the disk once its folder is; not all file systems can be told.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_files_whole() -> None:
    """Let MMEngine write files, checkpoints above all, under another name first.

    It empties the old file before it writes the new one: a kill or a full disk in the midst of
    saving takes both.
    """
    if LocalBackend.put is not _put_whole:
        LocalBackend.put = _put_whole
        LocalBackend.put_text = lambda self, obj, filepath, encoding='utf-8': _put_whole(
            self, obj.encode(encoding), filepath)


class _SafeLoader(yaml.SafeLoader):
    """YAML without objects; MMEngine itself writes tuples."""


_SafeLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple', lambda loader, node: tuple(loader.construct_sequence(node)))


def load_yaml_safely() -> None:
    """Keep YAML files, the model index above all, from running code.

    MMEngine reads them with PyYAML's full loader, which calls what a file names.
    """
    yaml_handler.Loader = _SafeLoader


def enable_config_names() -> None:
    """Let MMEngine resolve ``'avgn_mm::avgn/avgn_mn2_r50_anet.py'``.

    MMEngine knows a closed list of packages. The list wants a distribution's name, yet MMEngine
    0.10 takes the folder of an editable install from it wrongly (site-packages); the name of a
    submodule is looked up by the import system instead, which is right for every install.
    """
    MODULE2PACKAGE.setdefault('avgn_mm', 'avgn_mm.version')


def apply() -> None:
    """Apply every repair; safe to call again."""
    stub_missing_drn()
    save_histories_without_methods()
    save_schedules_without_functions()
    allow_checkpoint_globals()
    load_weights_only()
    write_files_whole()
    load_yaml_safely()
    enable_config_names()
