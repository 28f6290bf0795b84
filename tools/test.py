"""Test a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

import argparse

from mmengine.config import Config

from avgn_mm.engine.launch import (
    add_common_arguments,
    build_runner,
    leave_processes,
    load_config,
    naming_files_of_dead_workers,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test (and evaluate) a recognizer')
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='path or URL of the checkpoint')
    parser.add_argument('--dump', help='pickle file to write the predictions to')
    parser.add_argument('--show-dir', help='directory to write visualizations to')
    parser.add_argument('--show', action='store_true', help='show visualizations in a window')
    parser.add_argument('--interval', type=int, default=1, help='visualize each n-th sample')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds that a window stays open'
    )
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags that only testing has into the config.

    Raises:
        ValueError: If the config or the file name does not allow what a flag asks for.
    """
    cfg.load_from = args.checkpoint
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='CompleteWeightsHook')]

    if args.show or args.show_dir is not None:
        if 'visualization' not in cfg.get('default_hooks', {}):
            raise ValueError(
                '--show and --show-dir need default_hooks.visualization='
                f"dict(type='VisualizationHook') in {cfg.filename}"
            )
        cfg.default_hooks.visualization.update(
            enable=True,
            show=args.show,
            wait_time=args.wait_time,
            out_dir=args.show_dir,
            interval=args.interval,
        )

    if cfg.get('fast_cfg') is not None:
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='FastHook', **cfg.fast_cfg)]

    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f"--dump wants a file that ends in .pkl or .pickle, got '{args.dump}'")
        evaluators = cfg.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    merge_args(cfg, args)
    with naming_files_of_dead_workers():
        build_runner(cfg).test()
    leave_processes()


if __name__ == '__main__':
    main()
