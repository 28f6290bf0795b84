"""A talker of the GRID corpus: what each clip says and when, and its pictures and sound.

GRID (Cooke et al., JASA 2006): every clip is one sentence of six words, each of a kind.
"""

import csv
import dataclasses
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from avgn_mm.datasets.transforms.audio_reader import AudioReader
from avgn_mm.datasets.transforms.video_reader import MediaReadError, open_container

SPLITS = ('train', 'val', 'test')
SPLIT_SHARES = (0.7, 0.15, 0.15)
FPS = 25
SAMPLE_RATE = 16000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
GRAMMAR = dict(
    command=('bin', 'lay', 'place', 'set'),
    color=('blue', 'green', 'red', 'white'),
    preposition=('at', 'by', 'in', 'with'),
    letter=tuple('abcdefghijklmnopqrstuvxyz'),  # W has three syllables and is left out
    digit=('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'),
    adverb=('again', 'now', 'please', 'soon'))
_ALIGN_UNITS_PER_SECOND = 25000
_PAUSES = ('sil', 'sp')


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a clip, spoken in ``[start, end)`` seconds."""

    kind: str
    text: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip, by its words in the order of :data:`GRAMMAR`."""

    name: str
    path: str
    split: str
    words: tuple[Word, ...]

    def word(self, kind: str) -> Word:
        return self.words[list(GRAMMAR).index(kind)]


@dataclasses.dataclass(frozen=True)
class Footage:
    """A decoded clip: frame i is on screen while the samples from ``640 * i`` on sound."""

    frames: np.ndarray  # (n, H, W, 3) RGB uint8, reduced
    sound: np.ndarray  # (640 * n,) float32


def read_talker(folder: Path, seed: int = 0) -> list[Clip]:
    """Read ``labels.csv``, or without one the word files ``align/*.align``, of a talker's folder.

    Without a column ``split`` a seeded shuffle draws 70/15/15 % of the clips.

    Raises:
        FileNotFoundError: If neither is there, or a clip is missing.
        ValueError: If a line or a word file is malformed, or a split has fewer than two clips.
    """
    labels, aligned = folder / 'labels.csv', sorted((folder / 'align').glob('*.align'))
    if labels.is_file():
        rows = _read_labels(labels)
    elif aligned:
        rows = [(path.stem, '', _read_align(path)) for path in aligned]
    else:
        raise FileNotFoundError(f'{folder} holds neither labels.csv nor align/*.align')
    files = {path.stem: str(path) for path in sorted((folder / 'clips').iterdir())}
    missing = [name for name, _, _ in rows if name not in files]
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} clips are missing in {folder / "clips"}, for example {missing[0]}')
    if not any(split for _, split, _ in rows):
        order = np.random.default_rng(seed).permutation(len(rows))
        ends = np.rint(np.cumsum(SPLIT_SHARES) * len(rows))
        drawn = np.searchsorted(ends, np.argsort(order), side='right')
        rows = [(name, SPLITS[i], words) for (name, _, words), i in zip(rows, drawn)]
    for split in SPLITS:
        if sum(found == split for _, found, _ in rows) < 2:
            raise ValueError(f'{folder}: the split {split} has fewer than two clips')
    return [Clip(name, files[name], split, words) for name, split, words in rows]


def _read_labels(path: Path) -> list[tuple[str, str, tuple[Word, ...]]]:
    rows = []
    with open(path, newline='', encoding='utf-8') as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            where = f'{path}:{number}'
            try:
                spoken = [(row[kind], float(row[f'{kind}_t0']), float(row[f'{kind}_t1']))
                          for kind in GRAMMAR]
                name, split = row['id'], row.get('split') or ''
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f'{where}: expected the columns id, WORD, WORD_t0 and WORD_t1 '
                                 f'for WORD in {", ".join(GRAMMAR)}: {error!r}') from error
            if split and split not in SPLITS:
                raise ValueError(f'{where}: split must be one of {SPLITS}, got {split!r}')
            if rows and bool(split) != bool(rows[0][1]):
                raise ValueError(f'{where}: either all lines name a split or none does')
            rows.append((name, split, _to_words(spoken, where)))
    return rows


def _read_align(path: Path) -> tuple[Word, ...]:
    spoken = []
    for line in path.read_text(encoding='utf-8').splitlines():
        try:
            start, end, text = line.split()
            start, end = int(start), int(end)
        except ValueError as error:
            raise ValueError(f'{path}: expected "start end word", got {line!r}') from error
        if text not in _PAUSES:
            spoken.append((text, start / _ALIGN_UNITS_PER_SECOND, end / _ALIGN_UNITS_PER_SECOND))
    return _to_words(spoken, str(path))


def _to_words(spoken: list[tuple[str, float, float]], where: str) -> tuple[Word, ...]:
    if len(spoken) != len(GRAMMAR):
        raise ValueError(f'{where}: expected {len(GRAMMAR)} words, got {len(spoken)}')
    words = tuple(Word(kind, *entry) for kind, entry in zip(GRAMMAR, spoken))
    for word in words:
        if word.text not in GRAMMAR[word.kind]:
            raise ValueError(f'{where}: {word.text!r} is no {word.kind} of GRID: '
                             f'{", ".join(GRAMMAR[word.kind])}')
    times = [0.0, *(time for word in words for time in (word.start, word.end))]
    if times != sorted(times) or any(word.start == word.end for word in words):
        raise ValueError(f'{where}: the words do not follow one another in time')
    return words


def load(path: str, scale: float) -> Footage:
    """Decode a clip, its frames reduced by ``scale``.

    Raises:
        MediaReadError: If it cannot be read, or has no sound.
        ValueError: If it has another frame rate.
    """
    frames = []
    with open_container(path) as container:
        stream = container.streams.best('video')
        if stream is None or abs(float(stream.average_rate or 0) - FPS) > 0.1:
            raise ValueError(f'{path} has no pictures at {FPS} a second, as GRID has')
        stream.codec_context.thread_count = 1
        size = {name: round(getattr(stream.codec_context, name) * scale)
                for name in ('width', 'height')}
        reformatter = VideoReformatter()
        try:
            for frame in container.decode(stream):
                if not frames:
                    start = round(frame.time * SAMPLE_RATE)
                small = reformatter.reformat(
                    frame, **size, format='rgb24', interpolation=Interpolation.AREA)
                frames.append(small.to_ndarray())
        except av.FFmpegError as error:
            raise MediaReadError(f'cannot decode {path}: {error}') from error
    if not frames:
        raise MediaReadError(f'{path} has no pictures')
    audio = AudioReader(path, sample_rate=SAMPLE_RATE)
    sound = audio.read_windows(np.array([start]), len(frames) * SAMPLES_PER_FRAME)[0]
    audio.close()
    return Footage(np.stack(frames), sound)
