"""Write FCVID's lists from its own text files, or from the lists that peers hand around.

``python tools/data/fcvid/prepare.py --annotations FCVID_VideoName_TrainTestSplit.txt
FCVID_Label.txt classes.txt``
"""

import argparse
import os
from collections.abc import Sequence
from itertools import islice

from avgn_mm.datasets.annotation_lists import (
    Entry,
    read_class_names,
    read_lines,
    read_list,
    split_name,
    video_id,
)
from avgn_mm.datasets.preparation import prepare_and_tell

NUM_CLASSES = 239
SUBSETS = dict(train='train', test='val', val='val')


def ones(fields: Sequence[str]) -> tuple[int, ...] | None:
    """Places of the ones among numbers of 0 and 1, however written; None if others are there."""
    try:
        numbers = {field: float(field) for field in set(fields)}
    except ValueError:
        return None
    if not set(numbers.values()) <= {0, 1}:
        return None
    return tuple(place for place, field in enumerate(fields) if numbers[field])


def kind_of(path: str) -> str:
    """What a file is, by its first line: ``'split'``, ``'labels'``, ``'list'`` or ``'classes'``."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f'annotation file {path} does not exist')
    with open(path, encoding='utf-8-sig') as file:  # the label matrix is large: no more is read
        line = next((line.strip() for line in islice(file, 100) if line.strip()), '')
    fields = line.replace(',', ' ').split()
    if len(fields) > 2 and ones(fields) is not None:
        return 'labels'
    if len(fields) > 1 and fields[-1].lower() in SUBSETS:
        return 'split'
    if len(fields) > 2 and all(field.isdecimal() for field in fields[1:]):
        return 'list'
    return 'classes'


def read_official(split_file: str, label_file: str) -> dict[str, list[Entry]]:
    """Join the file of names and subsets with the 0/1 matrix of labels, whose rows go together.

    Raises:
        ValueError: If a line is malformed, or the files have different lengths.
    """
    names, rows = read_lines(split_file), read_lines(label_file)
    if len(names) != len(rows):
        raise ValueError(f'{split_file} lists {len(names)} videos, but {label_file} has '
                         f'{len(rows)} rows')
    splits = {'train': [], 'val': []}
    for (where, line), (row_where, row) in zip(names, rows):
        name, subset = [*line.replace(',', ' ').rsplit(maxsplit=1), ''][:2]
        values = row.replace(',', ' ').split()
        if subset.lower() not in SUBSETS:
            raise ValueError(f'{where}: expected "name train" or "name test", got {line!r}')
        labels = ones(values)
        if len(values) != NUM_CLASSES or labels is None:
            raise ValueError(f'{row_where}: expected {NUM_CLASSES} numbers of 0 and 1, got '
                             f'{len(values)} fields')
        splits[SUBSETS[subset.lower()]].append(Entry(video_id(name), labels))
    return splits


def read_annotations(paths: Sequence[str]) -> tuple[dict[str, list[Entry]], list[str]]:
    """Videos of each split and class names, from files in any order.

    Raises:
        ValueError: If the files are not a complete set.
    """
    files: dict[str, list[str]] = dict(split=[], labels=[], list=[], classes=[])
    for path in paths:
        files[kind_of(path)].append(path)
    official, lists = len(files['split']) == len(files['labels']) == 1, files['list']
    if official == bool(lists) or len(files['classes']) > 1:
        raise ValueError('--annotations takes one file of names and subsets with one label '
                         'matrix, or lists of train and test, and one file of class names; '
                         f'found {files}')
    if official:
        splits = read_official(files['split'][0], files['labels'][0])
    else:
        splits = {}
        for path in lists:
            splits.setdefault(split_name(path), []).extend(read_list(path))
    if files['classes']:
        return splits, read_class_names(files['classes'][0], NUM_CLASSES)
    print('No file of class names was given: they will be "class 0", "class 1", ...')
    return splits, [f'class {label}' for label in range(NUM_CLASSES)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write FCVID's lists and a report")
    parser.add_argument('--annotations', nargs='+', required=True, metavar='FILE',
                        help='in any order: the file of names and subsets, the label matrix, and '
                        'the class names; or lists "id,frames,label[,label...]" with "train" and '
                        '"test" or "val" in their names, and the class names')
    parser.add_argument('--videos', help='folder of the videos, OUT/videos by default')
    parser.add_argument('--out', default='data/FCVID', help='folder to write')
    parser.add_argument('--workers', type=int, default=min(8, os.cpu_count() or 1),
                        help='processes that read the videos')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    splits, classes = read_annotations(args.annotations)
    prepare_and_tell(splits, classes, args, multi_label=True)


if __name__ == '__main__':
    main()
