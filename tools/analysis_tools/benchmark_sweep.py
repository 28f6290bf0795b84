"""Time the budget sweep's single pass against one test for each cell of the grid.

Usage: ``python tools/analysis_tools/benchmark_sweep.py CONFIG [CHECKPOINT]``

Both run in this process, on the same data, which are read once before (a config with
``AVInit(cache_bytes=...)`` then decodes nothing any more), and give the same numbers. Without a
checkpoint the weights are random, which costs the same. The processor's time is printed beside the
wall time: it is the fairer one on a machine that does other work too.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence

import numpy as np
from mmengine.config import DictAction

from avgn_mm.engine.analysis import read_config
from avgn_mm.engine.launch import build_runner
from avgn_mm.evaluation.budgets import check_budgets, sweep


def clocks() -> np.ndarray:
    """Seconds on the wall and of this process on the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint', nargs='?')
    parser.add_argument('--split', choices=['val', 'test'], default='test')
    parser.add_argument('--num-glances', type=int, nargs='+', default=[2, 4, 8, 12, 16])
    parser.add_argument('--num-focus', type=int, nargs='+', default=[1, 2, 4, 6, 8, 12, 16])
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    cfg.test_dataloader = cfg[f'{args.split}_dataloader']
    # In this process, so that what was read once stays in its memory.
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.update(load_from=args.checkpoint, launcher='none', log_level='ERROR')
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        runner = build_runner(cfg)
        budgets = check_budgets(runner.model, dict.fromkeys(args.num_glances, args.num_focus))
        runner.test()

        start = clocks()
        results = sweep(cfg, runner.model, budgets, data_loader=runner.test_dataloader)
        one_pass = clocks() - start

        separate = np.zeros(2)
        for cell in results['cells']:
            runner.model.test_cfg.update(
                num_glances=cell['num_glances'] or None, num_focus=cell['num_focus'],
                exit_thresholds=None)
            start = clocks()
            metrics = runner.test()
            separate += clocks() - start
            if abs(metrics[results['metric']] - cell[results['metric']]) > 1e-6:
                raise RuntimeError(f'the sweep says {cell}, the test {metrics}')
    print(f'{len(results["cells"])} cells, {results["num_videos"]} videos, accuracies equal')
    for name, one, many in zip(('wall time', 'CPU time'), one_pass, separate):
        print(f'{name}: one pass {one:.1f} s, separate tests {many:.1f} s, ratio {many / one:.2f}')


if __name__ == '__main__':
    main()
