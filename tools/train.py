"""Train a recognizer: ``python tools/train.py CONFIG``."""

import argparse
import os

from mmengine.config import Config
from mmengine.runner import Runner

from avgn_mm.engine.launch import (
    add_common_arguments,
    build_runner,
    leave_processes,
    load_config,
    naming_files_of_dead_workers,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a recognizer')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or without a value from the latest in the work '
        'directory, if there is one',
    )
    parser.add_argument('--amp', action='store_true', help='train with mixed precision')
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate during training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the real batch size over the config's base_batch_size",
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='give each process another seed'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='use deterministic cuDNN algorithms only'
    )
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags that only training has into the config.

    Raises:
        ValueError: If the config does not allow what a flag asks for.
    """
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None

    if args.amp:
        wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise ValueError(f"--amp cannot replace optim_wrapper.type='{wrapper}'")
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')

    # torchrun starts all processes anew when one of them has died.
    restarts = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0))
    if restarts and not args.resume:
        raise ValueError(
            f'restart {restarts} of torchrun would train from the beginning: give --resume, which '
            'goes on from the latest checkpoint if there is one, together with --max-restarts')

    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume

    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError(
                f'--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in {cfg.filename}'
            )
        cfg.auto_scale_lr.enable = True

    flags = dict(
        seed=args.seed,
        diff_rank_seed=args.diff_rank_seed or None,
        deterministic=args.deterministic or None,
    )
    given = {name: value for name, value in flags.items() if value is not None}
    cfg.randomness = {'seed': None, **(cfg.get('randomness') or {}), **given}


def log_effective_lr(runner: Runner) -> None:
    """Log the rate that automatic scaling arrives at; MMEngine logs the factor alone."""
    scaling = runner.cfg.get('auto_scale_lr') or {}
    lr = runner.cfg.get('optim_wrapper', {}).get('optimizer', {}).get('lr')
    if scaling.get('enable') and lr is not None:
        batch_size = runner.world_size * runner.cfg.train_dataloader.batch_size
        base = scaling['base_batch_size']
        runner.logger.info(
            f'Effective learning rate: {lr:g} x {batch_size} / {base} = {lr * batch_size / base:g}'
        )


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    merge_args(cfg, args)
    runner = build_runner(cfg)
    log_effective_lr(runner)
    with naming_files_of_dead_workers():
        runner.train()
    del runner
    leave_processes()


if __name__ == '__main__':
    main()
