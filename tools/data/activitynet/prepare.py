"""Write ActivityNet 1.3's lists from its release JSON, or from the lists that peers hand around.

``python tools/data/activitynet/prepare.py --annotations activity_net.v1-3.min.json``
"""

import argparse
import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

from avgn_mm.datasets.annotation_lists import (
    Entry,
    check_labels,
    read_list,
    split_name,
    video_id,
)
from avgn_mm.datasets.preparation import prepare_and_tell

# Names in the order of MMAction2's label map, each with a training video of that class only.
CLASSES = Path(__file__).with_name('classes.csv')
SUBSETS = dict(training='train', validation='val')
ORDERS = ('mmaction2', 'arnet')


def read_classes() -> tuple[list[str], dict[str, str]]:
    """Class names by label in MMAction2's order, and the class of one video of each."""
    with open(CLASSES, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    return [row['name'] for row in rows], {row['video']: row['name'] for row in rows}


def read_release(path: str, classes: Sequence[str]) -> dict[str, list[Entry]]:
    """Training and validation videos of the release JSON; the test set's labels are withheld.

    Raises:
        ValueError: If the file has another form, or holds classes of another release.
    """
    with open(path, encoding='utf-8') as file:
        database = json.load(file).get('database')
    if database is None:
        raise ValueError(f'{path} is no release of ActivityNet: it has no "database"')
    label_of = {name: label for label, name in enumerate(classes)}
    splits = {'train': [], 'val': []}
    for name, video in database.items():
        if video['subset'] not in SUBSETS:
            continue
        names = dict.fromkeys(segment['label'] for segment in video['annotations'])
        unknown = [label for label in names if label not in label_of]
        if unknown:
            raise ValueError(f'{path}: {name} is labelled {unknown[0]!r}, which is none of '
                             f"ActivityNet 1.3's {len(classes)} classes")
        splits[SUBSETS[video['subset']]].append(
            Entry(video_id(name), tuple(label_of[label] for label in names), video.get('duration')))
    return splits


def find_order(splits: dict[str, list[Entry]], orders: dict[str, list[str]],
               known: dict[str, str]) -> str:
    """Which of the label orders in circulation the lists are in, from videos of known class.

    Raises:
        ValueError: If it cannot be told, or neither order fits.
    """
    votes = dict.fromkeys(orders, 0)
    seen = 0
    for entries in splits.values():
        for entry in entries:
            if entry.video_id in known and entry.labels:
                seen += 1
                for order, names in orders.items():
                    inside = [names[label] for label in entry.labels if label < len(names)]
                    votes[order] += known[entry.video_id] in inside
    best, other = sorted(votes, key=votes.get, reverse=True)
    # Lists differ in a few labels of videos that show several activities.
    if votes[best] == votes[other] or votes[best] < 0.9 * seen:
        raise ValueError(f'cannot tell the order of the labels: of {seen} videos of known class, '
                         f'{votes} have the right label in each order; say --variant')
    return best


def read_lists(paths: Sequence[str], classes: Sequence[str], known: dict[str, str], variant: str
               ) -> dict[str, list[Entry]]:
    """Videos of the lists, labelled in MMAction2's order whatever theirs is."""
    splits: dict[str, list[Entry]] = {}
    for path in paths:
        splits.setdefault(split_name(path), []).extend(read_list(path))
    check_labels(splits, len(classes))
    orders = dict(zip(ORDERS, (list(classes), sorted(classes))))
    order = find_order(splits, orders, known) if variant == 'auto' else variant
    print(f'The lists are in the label order of {order}')
    label_of = {name: label for label, name in enumerate(classes)}
    new_label = [label_of[name] for name in orders[order]]
    return {split: [Entry(entry.video_id, tuple(new_label[label] for label in entry.labels))
                    for entry in entries] for split, entries in splits.items()}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write ActivityNet 1.3's lists and a report")
    parser.add_argument('--annotations', nargs='+', required=True, metavar='FILE',
                        help='the release JSON, or a list with "train" and one with "val" in its '
                        'name: "v_id frames label [label ...]"')
    parser.add_argument('--videos', help='folder of the videos, OUT/videos by default')
    parser.add_argument('--out', default='data/ActivityNet', help='folder to write')
    parser.add_argument('--variant', choices=['auto', *ORDERS], default='auto',
                        help="order of the labels in lists: MMAction2's or AR-Net's, which is "
                        "also FrameExit's; found out by default")
    parser.add_argument('--workers', type=int, default=min(8, os.cpu_count() or 1),
                        help='processes that read the videos')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    classes, known = read_classes()
    releases = [path for path in args.annotations if path.lower().endswith('.json')]
    if releases and len(args.annotations) > 1:
        raise SystemExit('--annotations takes either the release JSON alone or lists, got '
                         f'{args.annotations}')
    splits = (read_release(releases[0], classes) if releases else
              read_lists(args.annotations, classes, known, args.variant))
    prepare_and_tell(splits, classes, args, multi_label=True)


if __name__ == '__main__':
    main()
