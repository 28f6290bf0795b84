"""What ``tools/train.py`` and ``tools/test.py`` share: arguments, the config, the runner.

Flags and their meaning are MMAction2's. Beyond them a config may be named by package
(``avgn_mm::avgn/avgn_mn2_r50_anet.py``, so an installed wheel needs no checkout), several
processes run on a machine without CUDA, and ``--cfg-options`` is merged first, so that the other
flags act on what it set.
"""

import argparse
import contextlib
import datetime
import gc
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.hub import get_config
from mmengine.runner import Runner

from avgn_mm.datasets.now_reading import read_by
from avgn_mm.registry import RUNNERS


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share."""
    parser.add_argument('config', help="path of a config, or its name: 'avgn_mm::FOLDER/FILE.py'")
    parser.add_argument('--work-dir', help='directory for logs and checkpoints or metrics')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings to override in the config, as key=value pairs: a.b=1 c="[1,2]" '
        'd="[(1,2),(3,4)]"; quote lists and use no spaces',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config that the arguments name and merge the shared arguments into it.

    Args:
        args (argparse.Namespace): With the attributes of :func:`add_common_arguments`.

    Returns:
        Config: With ``launcher`` and ``work_dir`` set; the latter comes from ``--work-dir``, else
        from the config, else it is ``./work_dirs/<config's file name>``.
    """
    # MMEngine reads the local rank from the environment; `mpi` and old launchers pass a flag.
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    by_name = '::' in args.config
    cfg = get_config(args.config) if by_name else Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config describes, on CPU processes too."""
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _join_cpu_processes(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


@contextlib.contextmanager
def naming_files_of_dead_workers() -> Iterator[None]:
    """Add to PyTorch's error for a worker process that died, or hung, what it was reading.

    Raises:
        RuntimeError: PyTorch's, with the files.
    """
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:
        if isinstance(error, RuntimeError) and 'DataLoader' not in str(error):
            raise
        error = _death_of_worker(error)
        found = re.search(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)', str(error))
        if found is not None:
            pids = [int(pid) for pid in found[1].split(',')]
        elif 'DataLoader timed out' in str(error):
            pids = [child.pid for child in multiprocessing.active_children()]
        else:
            raise
        read = ', '.join(filter(None, map(read_by, pids))) or 'no file that is known'
        raise RuntimeError(
            f'{str(error).strip()} It was reading {read}. A worker is killed when memory runs out '
            '(fewer workers need less), or crashes in a decoder (take the file from the list). '
            'Training goes on with --resume') from error


def _death_of_worker(error: Exception) -> Exception:
    """What PyTorch's handler of SIGCHLD raises, or else the error that was there first.

    The pipes of a dying worker break a moment before the system reports its death.
    """
    try:
        time.sleep(1)
    except RuntimeError as death:
        return death
    return error


def leave_processes() -> None:
    """Close the process group, if any, after a run that went well and whose runner is let go.

    A process that ends with gloo's threads still running aborts now and then ("terminate called
    without an active exception"), which fails the whole launch. They end with the group's last
    owner, of which one is the distributed model, in the runner's circles of references.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()


def _join_cpu_processes(cfg: Config) -> None:
    """Start gloo before MMEngine does: its own start-up calls ``torch.cuda.set_device``.

    Raises:
        ValueError: If the launcher is another than ``pytorch``.
    """
    if cfg.launcher != 'pytorch':
        raise ValueError(
            f"no GPU found, and without one --launcher must be 'pytorch' or 'none', got "
            f"'{cfg.launcher}'; tools/dist_train.sh starts several processes on CPU"
        )
    timeout_seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    torch.distributed.init_process_group(
        'gloo', timeout=datetime.timedelta(seconds=timeout_seconds)
    )
    # MMEngine would pass the local rank as a device id, which DDP refuses for modules on CPU.
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)
