"""Solve early exit's thresholds (AVGN+) on the training split.

Usage: ``python tools/analysis_tools/solve_exits.py CONFIG CHECKPOINT --out thresholds.json``

The training videos go through the test pipeline and the model once. For a family of exit
distributions (``avgn_mm/evaluation/exits.py``) the thresholds are read off and the accuracy and
the mean GMACs on these videos computed; one member is chosen, by default the cheapest that is
within a point of the best. ``model.test_cfg.exit_thresholds`` takes the path of the file.
"""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from avgn_mm.engine.analysis import markdown_table, read_config
from avgn_mm.evaluation.budgets import AccuracyScore, check_budgets, predict_all
from avgn_mm.evaluation.exits import exit_distributions, solve_thresholds, write_thresholds
from avgn_mm.evaluation.measures import load_model

POINT = 0.01


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='thresholds.json', help='JSON file to write')
    parser.add_argument('--num-glances', type=int, default=2, help='T_G')
    parser.add_argument('--num-focus', type=int, help='most frames to look at; T by default')
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument('--gmacs', type=float,
                        help='choose the member whose mean GMACs come closest from below')
    choice.add_argument('--power', type=float, help='choose the member of this p, 0.5 to 3.9')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(argv)


def training_videos(cfg: Config) -> dict:
    """The test data loader's config, but with the videos of the training split."""
    dataset = copy.deepcopy(cfg.train_dataloader.dataset)
    while 'pipeline' not in dataset:  # a wrapper, such as RepeatDataset
        dataset = dataset.dataset
    # Not in test mode: as in training, a broken file is replaced.
    dataset.pipeline = cfg.test_dataloader.dataset.pipeline
    return {**copy.deepcopy(cfg.test_dataloader), 'dataset': dataset}


def choose(family: list[dict], metric: str, gmacs: float | None, power: float | None) -> dict:
    """Pick one member of the family.

    Args:
        family (list[dict]): Each with ``power``, ``gmacs`` and the metric.
        metric (str): Name of the accuracy.
        gmacs (float, optional): Most mean GMACs that the member may cost.
        power (float, optional): The member's p.

    Raises:
        ValueError: If no member is like that.
    """
    if power is not None:
        for member in family:
            if abs(member['power'] - power) < 0.01:
                return member
        raise ValueError(f'--power must be one of 0.5, 0.6, ..., 3.9, got {power}')
    if gmacs is not None:
        affordable = [member for member in family if member['gmacs'] <= gmacs]
        if not affordable:
            raise ValueError(f'--gmacs {gmacs} is less than the cheapest member costs: '
                             f'{min(member["gmacs"] for member in family):.4g} GMACs')
        return max(affordable, key=lambda member: (member['gmacs'], member[metric]))
    best = max(member[metric] for member in family)
    return min((member for member in family if member[metric] >= best - POINT),
               key=lambda member: (member['gmacs'], -member[metric]))


def solve(argv: Sequence[str] | None = None) -> str:
    """Solve and write the thresholds; returns what there is to say of them."""
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    model = load_model(cfg, args.checkpoint)
    num_steps = args.num_focus or model.num_frames
    budgets = check_budgets(model, {args.num_glances: range(1, num_steps + 1)})
    num_glances, = budgets

    predictions, labels = predict_all(
        model, Runner.build_dataloader(training_videos(cfg)), budgets)
    found = predictions[num_glances]
    score = AccuracyScore(cfg, model.cls_head, labels)
    confidences = found.confidences(num_steps)
    family = []
    for power, distribution in exit_distributions(num_steps).items():
        thresholds = solve_thresholds(confidences, distribution)
        family.append(dict(power=power, **found.with_exits(thresholds, score),
                           thresholds=thresholds.tolist()))
    metric = score.name
    chosen = choose(family, metric, args.gmacs, args.power)
    write_thresholds(args.out, dict(
        config=args.config, checkpoint=Path(args.checkpoint).name, num_videos=len(labels),
        num_glances=num_glances, num_focus=num_steps, metric=metric, **chosen, family=family))

    rows = [['p', metric, 'GMACs', 'frames looked at']]
    rows += [[f'{member["power"]:.1f}' + (' (chosen)' if member is chosen else ''),
              f'{member[metric]:.4f}', f'{member["gmacs"]:.4g}',
              f'{member["frames_focused"]:.2f}'] for member in family]
    return (f'{len(labels)} training videos, T_G={num_glances}, up to {num_steps} frames\n'
            f'{markdown_table(rows)}\n'
            f'{args.out} is written. Test with it:\n  python tools/test.py {args.config} '
            f'{args.checkpoint} --cfg-options model.test_cfg.exit_thresholds={args.out}'
            + (f' model.test_cfg.num_glances={num_glances}' if num_glances else '')
            + f' model.test_cfg.num_focus={num_steps}')


def main(argv: Sequence[str] | None = None) -> None:
    print(solve(argv))


if __name__ == '__main__':
    main()
