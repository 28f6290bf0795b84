"""Accuracy and computation for a grid of T_G and k, and for early exit, from one pass.

Usage::

    python tools/analysis_tools/budget_sweep.py CONFIG CHECKPOINT --exits thresholds.json
    python tools/analysis_tools/budget_sweep.py CONFIG --random

The test videos go through the model once; every cell equals a run of ``tools/test.py`` with these
settings. Writes results.json, results.csv, table.md (laid out as Table 3) and tradeoff.png
(Fig. 2). ``--random`` needs neither data nor checkpoint and prints the computation alone.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.runner import load_checkpoint
from torch import nn

from avgn_mm.engine.analysis import build_model, markdown_table, random_batch, read_config
from avgn_mm.engine.weights import check_weights
from avgn_mm.evaluation.budgets import check_budgets, sweep
from avgn_mm.evaluation.exits import read_thresholds
from avgn_mm.visualization import draw_tradeoff


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint', nargs='?')
    parser.add_argument('--num-glances', type=int, nargs='+', metavar='T_G',
                        default=[2, 4, 8, 12, 16])
    parser.add_argument('--num-focus', type=int, nargs='+', metavar='k',
                        default=[1, 2, 4, 6, 8, 12, 16])
    parser.add_argument('--exits', metavar='FILE', help='thresholds of solve_exits.py')
    parser.add_argument('--out', type=Path, help='folder; by default work_dirs/<config>/sweep')
    parser.add_argument('--name', help='of the method on the picture; by default the config')
    parser.add_argument('--compare', type=Path, nargs='+', default=[], metavar='DIR',
                        help='folders of other sweeps, to be drawn as further methods')
    parser.add_argument('--random', action='store_true',
                        help='print the GMACs of the grid for one random video, and stop')
    parser.add_argument('--shape', type=int, nargs=2, metavar=('H', 'W'),
                        help='with --random: size of the frames, if the pipeline keeps the files\'')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(argv)
    if not args.random and args.checkpoint is None:
        parser.error('a CHECKPOINT is needed, or --random to count computation alone')
    return args


def table(results: dict) -> str:
    """Table 3: a row for each T_G, for each k a pair of columns; then the curve of early exit."""
    metric = results['metric']
    cells = {(cell['num_glances'], cell['num_focus']): cell for cell in results['cells']}
    glances, focus = (sorted(set(numbers)) for numbers in zip(*cells))
    best = {k: max(cells[g, k][metric] for g in glances) for k in focus}
    rows = [['T_G', *(title for k in focus for title in (f'k={k}', ''))],
            ['', *([metric, 'GMACs'] * len(focus))]]
    for number in glances:
        row = [str(number)]
        for k in focus:
            cell = cells[number, k]
            accuracy = f'{cell[metric]:.1%}'
            row += [f'**{accuracy}**' if accuracy == f'{best[k]:.1%}' else accuracy,
                    f'{cell["gmacs"]:.4g}']
        rows.append(row)
    text = markdown_table(rows)
    if results['exits']:
        rows = [['early exit, p', metric, 'GMACs', 'frames encoded', 'frames looked at']]
        rows += [[f'{x["power"]:.1f}', f'{x[metric]:.1%}', f'{x["gmacs"]:.4g}',
                  f'{x["frames_encoded"]:.2f}', f'{x["frames_focused"]:.2f}']
                 for x in results['exits']]
        text += f'\n\nT_G={results["exits"][0]["num_glances"]}:\n\n{markdown_table(rows)}'
    return text


def write(results: dict, folder: Path, compare: list[Path]) -> None:
    """Write results.json, results.csv, table.md and tradeoff.png."""
    others = [json.loads((other / 'results.json').read_text()) for other in compare]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'results.json').write_text(json.dumps(results, indent=2) + '\n')
    rows = results['cells'] + results['exits']
    columns = ['num_glances', 'num_focus', 'power']
    columns += [name for name in rows[0] if name not in columns]
    with open(folder / 'results.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, columns, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    (folder / 'table.md').write_text(table(results) + '\n')
    draw_tradeoff(results, str(folder / 'tradeoff.png'), others)


@torch.no_grad()
def random_table(cfg: Config, model: nn.Module, budgets: dict[int, list[int]],
                 size: list[int] | None) -> str:
    """GMACs of the grid for one random video and random weights, and its U in brackets."""
    inputs = model.data_preprocessor(random_batch(cfg, size=size), False)['inputs']
    predicted = model.predict_budgets(inputs, list(budgets))
    focus = sorted({k for num_focus in budgets.values() for k in num_focus})
    rows = [['T_G', *(f'k={k}' for k in focus)]]
    for number in budgets:
        encoded = predicted[number][1][0].tolist()
        gmacs = [model.cost.gmacs(*model.unpack(inputs), number, encoded[k - 1], k)
                 for k in focus]
        rows.append([str(number)] + [f'{cost:.4g} ({encoded[k - 1]})'
                                     for cost, k in zip(gmacs, focus)])
    return markdown_table(rows)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    model = build_model(cfg)
    budgets = check_budgets(model, dict.fromkeys(args.num_glances, args.num_focus))
    if args.random:
        print(random_table(cfg, model.to(get_device()), budgets, args.shape))
        print('GMACs (the papers\' GFLOPs) of one random video with random weights. In brackets U, '
              'the frames that\nare encoded: glanced and selected ones together. It depends on the '
              'selection, and so do the GMACs:\nU is between max(T_G, k) and min(T, T_G + k).')
        return
    exits = None if args.exits is None else read_thresholds(args.exits)
    checkpoint = load_checkpoint(model, args.checkpoint, map_location='cpu')
    check_weights(model, checkpoint, args.checkpoint)
    results = dict(name=args.name or Path(args.config).stem, config=args.config,
                   checkpoint=Path(args.checkpoint).name,
                   **sweep(cfg, model.to(get_device()), budgets, exits))
    folder = args.out or Path('work_dirs') / Path(args.config).stem / 'sweep'
    write(results, folder, args.compare)
    print(f'{results["num_videos"]} videos; GMACs are means over them\n\n{table(results)}\n\n'
          f'Written to {folder}: results.json, results.csv, table.md, tradeoff.png')


if __name__ == '__main__':
    main()
