"""Write Mini-Kinetics' lists from Kinetics-400's annotations and lists of ids.

``python tools/data/mini_kinetics/prepare.py --annotations mini_kinetics_train.txt
mini_kinetics_val.txt train.csv val.csv``
"""

import argparse
import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from avgn_mm.datasets.annotation_lists import (
    Entry,
    check_labels,
    read_class_names,
    read_lines,
    read_list,
    split_name,
    video_id,
)
from avgn_mm.datasets.preparation import prepare_and_tell

NUM_CLASSES = 200
# Names of the 121k set by label. The 80k set has other classes, about half of them also here.
CLASSES = Path(__file__).with_name('classes.txt')


def read_kinetics(path: str) -> Iterator[tuple[str, str, float]]:
    """Id, class name and seconds of each clip in Kinetics' CSV or JSON.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file has another form.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'annotation file {path} does not exist')
    with open(path, encoding='utf-8-sig', newline='') as file:
        if path.lower().endswith('.json'):
            for name, clip in json.load(file).items():
                if 'annotations' in clip:  # withheld in the test set
                    start, end = clip['annotations']['segment']
                    yield name, clip['annotations']['label'], float(end) - float(start)
            return
        rows = csv.DictReader(file)
        missing = {'label', 'youtube_id', 'time_start', 'time_end'} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f'{path} is no annotation file of Kinetics-400: it has no columns '
                             f'{sorted(missing)}')
        for row in rows:
            yield row['youtube_id'], row['label'], float(row['time_end']) - float(row['time_start'])


def read_members(path: str) -> list[Entry]:
    """Videos of a split from a list: ``id frames label`` a line, or bare ids."""
    lines = read_lines(path)
    if all(len(line.split()) == 1 and not set(line) & set(',;') for _, line in lines):
        return [Entry(video_id(line), ()) for _, line in lines]
    return read_list(path)


def join(splits: dict[str, list[Entry]], clips: dict[str, tuple[str, float]],
         classes: Sequence[str] | None) -> tuple[dict[str, list[Entry]], list[str]]:
    """Take labels and lengths from Kinetics' annotations.

    Args:
        splits (dict[str, list[Entry]]): Of the lists; where they have labels, these must agree.
        clips (dict[str, tuple[str, float]]): Class name and seconds of each id.
        classes (Sequence[str], optional): Names by label. Defaults to None: those of the listed
            videos in alphabetical order.

    Returns:
        tuple[dict[str, list[Entry]], list[str]]: The videos, and the class names.

    Raises:
        ValueError: If the classes are not those of this variant.
    """
    named = {entry.video_id: clips[entry.video_id][0] for entries in splits.values()
             for entry in entries if entry.video_id in clips}
    if classes is None:
        classes = sorted(set(named.values()))
        if len(classes) != NUM_CLASSES:
            raise ValueError(f'the listed videos show {len(classes)} classes by the annotations '
                             f'of Kinetics-400, not {NUM_CLASSES}: give its CSV or JSON of both '
                             'train and val')
    label_of = {name: label for label, name in enumerate(classes)}
    joined = {}
    for split, entries in splits.items():
        joined[split] = []
        for entry in entries:
            labels, seconds = entry.labels, None
            if entry.video_id in clips:
                name, seconds = clips[entry.video_id]
                if name not in label_of:
                    raise ValueError(f'{entry.video_id} ({split}) shows {name!r}, which is none '
                                     'of this variant\'s classes: is it the other --variant?')
                if labels and labels != (label_of[name], ):
                    raise ValueError(f'{entry.video_id} ({split}) has the label {labels} in the '
                                     f'list, but shows {name!r}, label {label_of[name]}')
                labels = (label_of[name], )
            joined[split].append(Entry(entry.video_id, labels, seconds))
    return joined, list(classes)


def read_annotations(paths: Sequence[str], variant: str
                     ) -> tuple[dict[str, list[Entry]], list[str]]:
    """Videos of each split and class names, from files in any order.

    Raises:
        ValueError: If labels are missing or do not fit the variant.
    """
    splits: dict[str, list[Entry]] = {}
    clips = {}
    for path in paths:
        if path.lower().endswith(('.csv', '.json')):
            for name, label, seconds in read_kinetics(path):
                clips[name] = (label, seconds)
        else:
            splits.setdefault(split_name(path), []).extend(read_members(path))
    if not splits:
        raise ValueError('--annotations needs the lists of Mini-Kinetics\' ids (.txt) as well')
    labelled = all(entry.labels for entries in splits.values() for entry in entries)
    if not clips and (variant == '80k' or not labelled):
        raise ValueError(f'the lists of the {variant} variant do not say what the classes are: '
                         'give Kinetics-400\'s train and val CSV or JSON as well')
    check_labels(splits, NUM_CLASSES)
    classes = read_class_names(str(CLASSES), NUM_CLASSES) if variant == '121k' else None
    return join(splits, clips, classes)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write Mini-Kinetics' lists and a report")
    parser.add_argument('--annotations', nargs='+', required=True, metavar='FILE',
                        help='lists (.txt) with "train" and "val" in their names, "id frames '
                        'label" or bare ids, and CSV or JSON files of Kinetics-400, without '
                        'which bare ids have no labels')
    parser.add_argument('--videos', help='folder of the videos, OUT/videos by default')
    parser.add_argument('--out', default='data/MiniKinetics', help='folder to write')
    parser.add_argument('--variant', choices=['121k', '80k'], default='121k',
                        help='which of the two sets of that name the lists are')
    parser.add_argument('--workers', type=int, default=min(8, os.cpu_count() or 1),
                        help='processes that read the videos')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    splits, classes = read_annotations(args.annotations, args.variant)
    prepare_and_tell(splits, classes, args, multi_label=False)


if __name__ == '__main__':
    main()
