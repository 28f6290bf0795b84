"""A training set of which a share of the files is bad."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class SpoiledSet:
    """Attributes: two annotation lists of absolute paths; the bad files; how many there are."""
    with_bad: Path
    without_bad: Path
    bad: tuple[Path, ...]
    number: int


def spoil(ann_file: Path, videos: Path, folder: Path, *, share: float, seed: int) -> SpoiledSet:
    """Make a copy of a set, by links, in which some files are bad in one of six ways.

    Args:
        ann_file (Path): Its list, ``path label`` a line.
        videos (Path): What the paths stand in.
        folder (Path): Where to; what an earlier call made there is replaced.
        share (float): Of the files.
        seed (int): Says which, and how.

    Returns:
        SpoiledSet: With ``with.txt`` and ``without.txt``, the bad files left out, in the folder.
    """
    lines = [line.split() for line in Path(ann_file).read_text().splitlines() if line.strip()]
    rng = np.random.default_rng(seed)
    chosen = set(rng.permutation(len(lines))[:round(share * len(lines))].tolist())
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    all_lines, good_lines, bad = [], [], []
    for i, (name, *labels) in enumerate(lines):
        source = Path(videos, name).resolve()
        path = folder / f'{i:06d}{source.suffix}'
        path.unlink(missing_ok=True)
        line = ' '.join([str(path), *labels])
        all_lines.append(line)
        if i not in chosen:
            os.symlink(source, path)
            good_lines.append(line)
            continue
        data = source.read_bytes()
        kind = i % 6
        if kind < 5:  # the sixth kind is missing
            path.write_bytes([b'', b'not a video\n' * 99, data[:len(data) // 2],
                              rng.bytes(len(data)), data.replace(b'moov', b'moog')][kind])
        bad.append(path)
    for name, text in (('with', all_lines), ('without', good_lines)):
        (folder / f'{name}.txt').write_text('\n'.join(text) + '\n')
    return SpoiledSet(folder / 'with.txt', folder / 'without.txt', tuple(bad), len(lines))
