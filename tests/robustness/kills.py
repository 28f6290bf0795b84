"""Kill a training again and again, resume it each time, and compare it with an unbroken one.

    python -m tests.robustness.kills --kills 100

The mini config of AVGN trains on a few videos of GlanceBench-mini by ``Runner.from_cfg`` with
``resume=True``, as ``tools/train.py --resume`` does it, in processes that are forked from one that
has imported everything. SIGKILL ends such a process and its workers at a random moment, or within
a save as soon as the unfinished file shows up. When a training is through, it is held against the
unbroken one: weights, averaged weights, optimizer and schedules bit by bit, every iteration's
files, loss and rate, and the checkpoints that are left over.
"""

import argparse
import dataclasses
import functools
import gc
import importlib
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import Registry
from mmengine.runner import CheckpointLoader, Runner, runner

import avgn_mm.registry
from avgn_mm.datasets.glancebench import SPECS, generate
from avgn_mm.registry import HOOKS

ROOT = Path(__file__).resolve().parents[2]
NUM_VIDEOS, BATCH_SIZE, EPOCHS = 14, 4, 4


@HOOKS.register_module(force=True)
class SampleLog(Hook):
    """Write down what each iteration was trained on and what came of it."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        record = dict(
            epoch=runner.epoch, batch=batch_idx, iter=runner.iter, loss=float(outputs['loss']),
            lr=runner.optim_wrapper.get_lr()['lr'],
            files=[sample.filename for sample in data_batch['data_samples']])
        line = json.dumps(record).encode() + b'\n'
        descriptor = os.open(Path(runner.work_dir) / 'samples.jsonl',
                             os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line)
        os.close(descriptor)


def tiny_config(data: Path, within_epochs: bool) -> Config:
    """The mini config on a few videos: with checkpoints after epochs, or also within them.

    The second kind has worker processes, an average of the weights and OneCycle besides, and
    keeps but one checkpoint.
    """
    cfg = Config.fromfile(ROOT / 'configs' / 'avgn' / 'avgn_glancebench-mini.py')
    for split in ('train', 'val'):
        loader = cfg[f'{split}_dataloader']
        loader.batch_size = BATCH_SIZE
        loader.dataset.ann_file = str(data / f'{split}.txt')
        loader.dataset.event_file = str(data / f'{split}_events.json')
        loader.dataset.data_prefix.video = str(data)
        for transform in loader.dataset.pipeline:
            if transform.type == 'SampleFrameTimes':
                transform.num_frames = 4
    cfg.model.update(num_frames=4, test_cfg=dict(num_glances=3, num_focus=2))
    cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=2)
    cfg.param_scheduler[1].end = EPOCHS
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type='SampleLog')]
    cfg.randomness = dict(seed=7)
    cfg.log_level = 'WARNING'
    cfg.resume = True
    if within_epochs:
        cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3, max_keep_ckpts=1)
        cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
        cfg.param_scheduler = [dict(
            type='OneCycleLR', eta_max=3e-3, total_steps=EPOCHS, by_epoch=True,
            convert_to_iter_based=True)]
    return cfg


def prepare() -> None:
    """Do once what would take the most of a short training's time, and import everything."""
    torch.set_num_threads(1)
    for registry in vars(avgn_mm.registry).values():
        if isinstance(registry, Registry):
            registry.import_from_location()
    importlib.import_module('matplotlib.pyplot')
    runner.collect_env = functools.cache(runner.collect_env)
    runner.collect_env()
    config.FormatCode = lambda text, **kwargs: (text, True)
    gc.freeze()


def start(cfg: Config, work_dir: Path) -> int:
    """Train in a forked process, the leader of a group; its output goes to ``work_dir/output``."""
    work_dir.mkdir(parents=True, exist_ok=True)
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        output = os.open(work_dir / 'output', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        cfg.work_dir = str(work_dir)
        Runner.from_cfg(cfg).train()
        code = 0
    except BaseException:
        import traceback
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(process: int, work_dir: Path) -> bool:
    """Whether a training is through.

    Raises:
        RuntimeError: If it ended by itself otherwise.
    """
    done, status = os.waitpid(process, os.WNOHANG)
    if done and status:
        raise RuntimeError(f'training ended with status {status}:\n'
                           + (work_dir / 'output').read_text()[-4000:])
    return bool(done)


def kill_at(process: int, work_dir: Path, moment: float, in_save: int) -> str | None:
    """Kill a training after so many seconds, or within its n-th save from now.

    Returns:
        str | None: Where it was killed; None if it was through before.
    """
    deadline = time.monotonic() + moment
    saves, seen = 0, set()
    while not ended(process, work_dir):
        if in_save:
            new = {path.name for path in work_dir.glob('*.partial')} - seen
            saves += len(new)
            seen = (seen | new)
            due = saves >= in_save
        else:
            due = time.monotonic() >= deadline
            time.sleep(0.001)
        if due:
            # The group may not be there yet, or be gone.
            for kill in (os.kill, os.killpg):
                try:
                    kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            _, status = os.waitpid(process, 0)
            if os.WIFSIGNALED(status):
                saving = any(work_dir.glob('*.partial'))
                return 'within a save' if saving else 'elsewhere'
            return None
    return None


def finish(process: int, work_dir: Path) -> None:
    while not ended(process, work_dir):
        time.sleep(0.01)


def outcome(work_dir: Path) -> dict:
    """What two trainings should agree on, paths relative."""
    last = Path((work_dir / 'last_checkpoint').read_text())
    checkpoint = CheckpointLoader.load_checkpoint(str(last), map_location='cpu')
    hub = checkpoint['message_hub']
    histories = {name: np.asarray(values._log_history)
                 for name, values in hub['log_scalars'].items() if 'time' not in name}
    lines = (work_dir / 'samples.jsonl').read_text().splitlines()
    return dict(
        last=last.name, best=Path(hub['runtime_info']['best_ckpt']).name,
        files=sorted(path.name for path in work_dir.glob('*.p*')),
        state={name: checkpoint[name] for name in (
            'state_dict', 'optimizer', 'param_schedulers', 'ema_state_dict') if name in checkpoint},
        histories=histories, iterations=[json.loads(line) for line in lines])


def differences(found: dict, expected: dict) -> list[str]:
    """Where a training went otherwise than the unbroken one."""
    wrong = [f'{name}: {found[name]} for {expected[name]}' for name in ('last', 'best', 'files')
             if found[name] != expected[name]]
    wrong += [f'{name} differs' for name in ('state', 'histories')
              if not _same(found[name], expected[name])]
    truth = {record['iter']: record for record in expected['iterations']}
    wrong += [f'iteration went otherwise: {record}' for record in found['iterations']
              if record != truth.get(record['iter'])]
    missing = truth.keys() - {record['iter'] for record in found['iterations']}
    return wrong + [f'iterations are missing: {sorted(missing)}'] * bool(missing)


def _same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


def check_epochs(iterations: list[dict], num_videos: int) -> None:
    """Every epoch of an unbroken training shows each video once."""
    for epoch, records in itertools.groupby(iterations, key=lambda record: record['epoch']):
        shown = [name for record in records for name in record['files']]
        if len(shown) != num_videos or len(set(shown)) != num_videos:
            raise AssertionError(f'epoch {epoch} lost or doubled samples: {shown}')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--within-epochs', choices=['no', 'yes', 'both'], default='both',
                        help='checkpoints after epochs, within them, or one training after another')
    args = parser.parse_args()
    prepare()
    MMLogger.get_instance('kills', log_level='WARNING')
    rng = np.random.default_rng(args.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        spec = dataclasses.replace(SPECS['mini'], num_train=NUM_VIDEOS, num_val=4, num_test=1)
        generate(spec, str(folder / 'data'), seed=0, workers=1)
        kinds = dict(no=[False], yes=[True], both=[False, True])[args.within_epochs]
        unbroken = {}
        for within in kinds:
            work_dir = folder / f'unbroken{within:d}'
            started = time.monotonic()
            finish(start(tiny_config(folder / 'data', within), work_dir), work_dir)
            seconds = time.monotonic() - started
            unbroken[within] = outcome(work_dir), seconds
            check_epochs(unbroken[within][0]['iterations'], NUM_VIDEOS)
            print(f'unbroken, checkpoints {"within" if within else "after"} epochs: '
                  f'{seconds:.1f} s')
        killed, resumed, trainings, wrong = {}, 0, 0, []
        while sum(killed.values()) < args.kills:
            within = kinds[trainings % len(kinds)]
            work_dir = folder / f'broken{trainings}'
            cfg = tiny_config(folder / 'data', within)
            expected, seconds = unbroken[within]
            process, pending = start(cfg, work_dir), 0
            while sum(killed.values()) < args.kills:
                where = kill_at(process, work_dir, rng.uniform(0, 0.6 * seconds),
                                in_save=int(rng.integers(1, 4)) if rng.random() < 0.4 else 0)
                if where is None:
                    break
                killed[where] = killed.get(where, 0) + 1
                pending += 1
                process = start(cfg, work_dir)
            else:
                finish(process, work_dir)
            trainings += 1
            found = differences(outcome(work_dir), expected)
            resumed += pending * (not found)
            wrong += [f'training {trainings}: {line}' for line in found]
            print(f'training {trainings}: {pending} kills, '
                  + ('as unbroken' if not found else '; '.join(found[:3])), flush=True)
    total = sum(killed.values())
    print(f'{resumed} of {total} kills were resumed to what the unbroken training gave: weights, '
          f'optimizer and schedules bitwise, no sample lost or doubled ('
          + ', '.join(f'{count} {where}' for where, count in sorted(killed.items()))
          + f'; {trainings} trainings, {time.monotonic() - began:.0f} s)')
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main())
