"""What a video costs: ``python tools/analysis_tools/get_flops.py CONFIG``, without data or weights.

A recognizer with budgets, as AVGN, gets a table of its parts at one (T_G, k), or with several
values or ``--random`` the totals of the grid. How many frames f_G encodes depends there on how
many of the selected frames had been glanced at, so a total may have a lowest and a highest value.
A rival gets the table of the parts that it used for one random video with random weights.
Any other recognizer of MMAction2 is counted as a whole, all clips of a video included.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import DictAction
from torch import nn

from avgn_mm.engine.analysis import build_model, markdown_table, random_batch, read_config
from avgn_mm.engine.hooks import predict_and_count
from avgn_mm.models import SelectiveRecognizer

GRID_NUM_GLANCES = (2, 4, 8, 12, 16)
GRID_NUM_FOCUS = (1, 2, 4, 6, 8, 12, 16)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Count the multiply-accumulates of a video')
    parser.add_argument('config', help="path of a config, or its name: 'avgn_mm::FOLDER/FILE.py'")
    parser.add_argument('--num-glances', type=int, nargs='+', help="T_G (default: the config's)")
    parser.add_argument('--num-focus', type=int, nargs='+', help="k (default: the config's)")
    parser.add_argument('--random', action='store_true',
                        help='the grid of totals on random inputs; by default T_G in '
                        f'{GRID_NUM_GLANCES} and k in {GRID_NUM_FOCUS}')
    parser.add_argument('--shape', type=int, nargs=2, metavar=('H', 'W'),
                        help="size of the frames (default: what the test pipeline makes)")
    parser.add_argument('--json', type=Path, help='file to write the numbers to as well')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction,
                        help='settings to override in the config, as key=value pairs')
    return parser.parse_args(argv)


def choose_budgets(args: argparse.Namespace, model: nn.Module) -> list[tuple[int, int]]:
    """The (T_G, k) to count; T_G is 0 without AV-TeST.

    Raises:
        ValueError: If one is not in 1..T.
    """
    limit = model.num_frames
    chosen = []
    for name, given, default in (('num_glances', args.num_glances, GRID_NUM_GLANCES),
                                 ('num_focus', args.num_focus, GRID_NUM_FOCUS)):
        if given is None:
            given = ([value for value in default if value <= limit] if args.random
                     else [model.test_cfg.get(name) or limit])
        for value in given:
            if not 1 <= value <= limit:
                raise ValueError(f'--{name.replace("_", "-")}={value} must be in 1..{limit} '
                                 f'(model.num_frames={limit})')
        chosen.append([0] if name == 'num_glances' and model.temporal_glance is None else given)
    return list(itertools.product(*chosen))


def count_parts(model: nn.Module, inputs: dict, num_glances: int, num_focus: int) -> dict:
    """Count a video at one (T_G, k).

    Returns:
        dict: ``num_glances``, ``num_focus``; ``frames_encoded`` and ``gmacs``, lowest and highest;
        ``parts``: by name the ``calls`` (lowest and highest), the ``gmacs`` of one, and the
        ``parameters`` of its module, which other parts of it may share.
    """
    num_outputs = num_focus if model.test_cfg.get('exit_thresholds') is not None else 1
    # The selected frames had all been glanced at, or as few of them as possible.
    encoded = [max(num_glances, num_focus), min(model.num_frames, num_glances + num_focus)]
    imgs, audios = model.unpack(inputs)
    calls = [model.cost.calls(num_glances, n, num_focus, num_outputs) for n in encoded]
    gmacs = [model.cost.gmacs(imgs, audios, num_glances, n, num_focus, num_outputs)
             for n in encoded]
    parts = {
        part: dict(calls=[each[part] for each in calls], gmacs=macs / 1e9,
                   parameters=count_parameters(getattr(model, part.partition('.')[0])))
        for part, macs in model.cost.units(imgs, audios).items()}
    return dict(num_glances=num_glances, num_focus=num_focus, frames_encoded=encoded, gmacs=gmacs,
                parts=parts)


def count_answer(model: nn.Module, inputs: dict | torch.Tensor) -> dict:
    """Count what a ``SelectiveRecognizer`` uses for a video; as :func:`count_parts` has it.

    Parameters stand with the first part of a module, if the part is named after it.
    """
    imgs, audios = model.unpack(inputs)
    (calls, ) = model.answer(imgs, audios).calls
    parts = {}
    for part, macs in model.unit_macs(imgs, audios).items():
        module = getattr(model, part.partition('.')[0], None)
        parts[part] = dict(
            calls=[calls.get(part, 0)] * 2, gmacs=macs / 1e9,
            parameters=count_parameters(module) if isinstance(module, nn.Module) else 0)
    total = sum(row['calls'][0] * row['gmacs'] for row in parts.values())
    return dict(gmacs=[total] * 2, parts=parts)


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def span(low: float, high: float, style: str = 'd') -> str:
    """'14-16', or '16' where both ends print alike."""
    low, high = format(low, style), format(high, style)
    return low if low == high else f'{low}-{high}'


def parts_table(count: dict, total_parameters: int) -> str:
    """The parts at one (T_G, k); shares are of the highest total."""
    rows = [['component', 'calls', 'GMACs each', 'GMACs', 'share', 'parameters']]
    seen = set()
    for part, row in count['parts'].items():
        each, module = row['gmacs'], part.partition('.')[0]
        rows.append([part, span(*row['calls']), f'{each:.5f}',
                     span(*(n * each for n in row['calls']), '.3f'),
                     f'{row["calls"][1] * each / count["gmacs"][1]:.1%}',
                     '' if module in seen or not row['parameters'] else f'{row["parameters"]:,}'])
        seen.add(module)
    rows.append(['total', '', '', span(*count['gmacs'], '.2f'), '100.0%', f'{total_parameters:,}'])
    return markdown_table(rows)


def grid_table(counts: list[dict]) -> str:
    """Totals by T_G (rows) and k (columns)."""
    totals = {(c['num_glances'], c['num_focus']): span(*c['gmacs'], '.2f') for c in counts}
    columns = list(dict.fromkeys(k for _, k in totals))
    rows = [['T_G', *(f'k = {k}' for k in columns)]]
    for glances in dict.fromkeys(glances for glances, _ in totals):
        rows.append([str(glances) if glances else 'no AV-TeST',
                     *(totals[glances, k] for k in columns)])
    return markdown_table(rows)


@torch.no_grad()
def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    model = build_model(cfg)
    batch = random_batch(cfg, size=args.shape)
    by_name = batch['inputs'] if isinstance(batch['inputs'], dict) else dict(imgs=batch['inputs'])
    shapes = {name: list(value[0].shape) for name, value in by_name.items()}
    parameters = count_parameters(model)
    report = dict(config=args.config, inputs=shapes, parameters=parameters)

    print('GMACs (the papers\' GFLOPs) of a video of '
          + ', '.join(f'{name} {" x ".join(map(str, shape))}' for name, shape in shapes.items()))
    if not hasattr(model, 'cost'):
        if args.num_glances or args.num_focus:
            raise ValueError(f'{type(model).__name__} has no budgets: leave out --num-glances and '
                             '--num-focus')
        if isinstance(model, SelectiveRecognizer):
            report['count'] = count_answer(model, model.data_preprocessor(batch)['inputs'])
            report['gmacs'] = report['count']['gmacs'][0]
            print(f'{parts_table(report["count"], parameters)}\n')
        else:
            _, report['gmacs'] = predict_and_count(model, batch)
        print(f'{type(model).__name__}: {report["gmacs"]:.4g} GMACs, {parameters:,} parameters')
    else:
        inputs = model.data_preprocessor(batch)['inputs']
        budgets = choose_budgets(args, model)
        report['budgets'] = [count_parts(model, inputs, *budget) for budget in budgets]
        if len(budgets) > 1:
            print(grid_table(report['budgets']))
        else:
            (count, ) = report['budgets']
            print(f'T_G = {count["num_glances"]}, k = {count["num_focus"]}, frames encoded: '
                  f'{span(*count["frames_encoded"])}\n\n{parts_table(count, parameters)}')
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    main()
