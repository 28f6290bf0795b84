"""Read the annotation files that the field hands around: who is in a split, with which labels.

The same video goes by many names: ``v_ID`` (ActivityNet's files), ``ID`` (its JSON), ``ID.mkv``,
``ID_000010_000020`` (Kinetics' clips), ``images/val/CLASS NAME/ID_000010_000020``.
:func:`video_id` makes one of them all.
"""

import os.path as osp
import re
from collections.abc import Sequence
from dataclasses import dataclass

MEDIA_SUFFIXES = ('.3gp', '.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ogv',
                  '.ts', '.webm', '.wmv')
# YouTube's ids are 11 characters of A-Z a-z 0-9 _ -, so that "v_" may be part of one.
_PREFIXED = re.compile(r'v_([\w-]{11})', re.ASCII)
_CLIP = re.compile(r'([\w-]{11})_\d{6}_\d{6}', re.ASCII)
_SPLITS = dict(train='train', val='val', test='val')


@dataclass(frozen=True)
class Entry:
    """A video of a split.

    Attributes:
        video_id: As :func:`video_id` makes it.
        labels: Its classes, each once; empty if nothing is known.
        seconds: How long the annotation says that it is; None if it does not say.
    """
    video_id: str
    labels: tuple[int, ...]
    seconds: float | None = None


def video_id(name: str) -> str:
    """The id in a path or name: without folder, media suffixes, ``v_`` and clip times.

    >>> video_id('val/surfing water/v_v_Vg4a8igc0.mp4.webm')
    'v_Vg4a8igc0'
    """
    name = osp.basename(name.strip())
    # Downloaders write "ID.mp4.webm" where they were told the name before they knew the format.
    while name.lower().endswith(MEDIA_SUFFIXES):
        name = osp.splitext(name)[0].rstrip()
    for decorated in (_PREFIXED, _CLIP):
        if match := decorated.fullmatch(name):
            return match[1]
    return name


def read_lines(path: str) -> list[tuple[str, str]]:
    """Lines of a text file that are not blank, each after where it stands: ``path:number``.

    Raises:
        FileNotFoundError: If the file is missing.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'annotation file {path} does not exist')
    with open(path, encoding='utf-8-sig') as file:
        return [(f'{path}:{number}', line.strip()) for number, line in enumerate(file, start=1)
                if line.strip()]


def split_name(path: str) -> str:
    """``'train'`` or ``'val'``, as the name of a list says; a test list is the validation list.

    Raises:
        ValueError: If it says neither or both.
    """
    words = {_SPLITS[word] for word in _SPLITS if word in osp.basename(path).lower()}
    if len(words) != 1:
        raise ValueError(f'cannot tell which split {path} lists: its name should hold one of '
                         f'{", ".join(_SPLITS)}')
    return words.pop()


def read_list(path: str) -> list[Entry]:
    """Read a list of the field: ``id frames label [label ...]`` a line.

    The fields are separated by blanks, commas or semicolons; the id may be a path with blanks in
    it. Labels that are repeated for each segment of a video are taken once.

    Raises:
        FileNotFoundError: If the list is missing.
        ValueError: If a line has another form, naming it.
    """
    entries = []
    for where, line in read_lines(path):
        separator = next((mark for mark in ';,' if mark in line), None)
        if separator:
            name, *fields = line.split(separator)
            fields = [field for field in fields if field.strip()]
        else:  # from the end, since a path may hold blanks
            name, fields = line, []
            while (parts := name.rsplit(maxsplit=1))[1:] and parts[1].isdecimal():
                name = parts[0]
                fields.insert(0, parts[1])
        if len(fields) < 2 or not all(field.strip().isdecimal() for field in fields):
            raise ValueError(f'{where}: expected "id frames label [label ...]" with whole numbers, '
                             f'got {line!r}')
        labels = dict.fromkeys(int(field) for field in fields[1:])
        entries.append(Entry(video_id(name), tuple(labels)))
    return entries


def read_class_names(path: str, num_classes: int) -> list[str]:
    """Read class names, one a line in the order of the labels, or ``number name`` a line.

    Raises:
        ValueError: If there are not ``num_classes`` of them, or the numbers have gaps.
    """
    lines = [line for _, line in read_lines(path)]
    numbered = [re.fullmatch(r'(\d+)\s*[\s,;]\s*(\S.*)', line) for line in lines]
    if lines and all(numbered):
        by_number = {int(match[1]): match[2].strip() for match in numbered}
        first = min(by_number)
        if first > 1 or sorted(by_number) != list(range(first, first + len(lines))):
            raise ValueError(f'the numbers of the classes in {path} should run from 0 or 1 '
                             f'without gaps')
        lines = [by_number[number] for number in sorted(by_number)]
    if len(lines) != num_classes or len(set(lines)) != num_classes:
        raise ValueError(f'{path} should name {num_classes} classes, but has {len(lines)} names '
                         f'({len(set(lines))} different ones)')
    return lines


def check_labels(splits: dict[str, Sequence[Entry]], num_classes: int) -> None:
    """Compare the labels with the number of classes.

    Raises:
        ValueError: If a label is too large, which a list that counts from 1 would show.
    """
    for split, entries in splits.items():
        for entry in entries:
            if max(entry.labels, default=0) >= num_classes:
                raise ValueError(f'label {max(entry.labels)} of {entry.video_id} ({split}) is not '
                                 f'in 0..{num_classes - 1}')
