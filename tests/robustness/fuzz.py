"""Small files of five formats, damaged at random."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.media import read_code
from tests.robustness.media_cases import B_FRAMES, FPS, HERTZ
from tests.robustness.reading import Outcome
from tests.robustness.writers import clip

_GROUPS = dict(preset='ultrafast', g='10')
FORMATS = {
    '.mp4': clip('a.mp4', audio=HERTZ, video_options=_GROUPS),
    '.mkv': clip('a.mkv', audio=HERTZ, audio_codec='flac', video_options=B_FRAMES),
    '.webm': clip('a.webm', video_codec='libvpx-vp9', audio=HERTZ, audio_codec='libopus',
                  audio_rate=48000, video_options=dict(g='10')),
    '.avi': clip('a.avi', video_codec='mpeg4', audio=HERTZ, audio_codec='pcm_s16le',
                 video_options=dict(g='10')),
    '.ts': clip('a.ts', video_options=_GROUPS),
}
NUM_FRAMES = 20
# How long a frame stands in for damaged ones after it, as a reader may let it.
HOLD_SECONDS = 0.5
VERDICTS = ('right', 'held', 'error', 'undetected')


@dataclass(frozen=True)
class Mutant:
    """A damaged file."""
    path: Path
    damage: str


def mutants(folder: Path, number: int, first: int = 0) -> Iterator[Mutant]:
    """Write damaged files one after the other, each of a seed of its own, under one name a format.

    Args:
        folder (Path): Empty.
        number (int): How many.
        first (int): The first seed.
    """
    originals = {}
    for suffix, write in FORMATS.items():
        path = write(folder)
        originals[suffix] = path.read_bytes()
    for seed in range(first, first + number):
        suffix = list(FORMATS)[seed % len(FORMATS)]
        data, damage = _mutate(originals[suffix], np.random.default_rng(seed))
        path = folder / f'mutant{suffix}'
        path.write_bytes(data)
        yield Mutant(path, f'{seed}: {suffix}, {damage}')


def _mutate(original: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    data, size = bytearray(original), len(original)
    # Headers and indices stand at the ends.
    place = int([rng.integers(size), rng.integers(2048), size - 1 - rng.integers(2048)]
                [rng.choice(3, p=(0.5, 0.3, 0.2))])
    length = int(rng.integers(1, 2048))
    kind = rng.choice(['a bit flips', '50 bits flip', 'noise', 'zeros', 'a gap', 'cut off'])
    if kind == 'a bit flips':
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == '50 bits flip':
        for position in rng.integers(size, size=50):
            data[position] ^= 1 << int(rng.integers(8))
    elif kind == 'noise':
        data[place:place + length] = rng.bytes(min(length, size - place))
    elif kind == 'zeros':
        data[place:place + length] = bytes(min(length, size - place))
    elif kind == 'a gap':
        del data[place:place + length]
    else:
        del data[place:]
    return bytes(data), f'{kind} at {place}'


def judge(mutant: Mutant, outcome: Outcome) -> str:
    """Say what became of a damaged file.

    Returns:
        str: One of ``VERDICTS``: every frame right; some stand for those after them, as in a
        player, for up to 0.5 s; an error that names the file; or a frame is another than the
        intact file has at that time, which nothing in the file gives away. Else what is wrong.
    """
    if outcome.kind == 'error':
        return 'error' if mutant.path.name in outcome.detail else f'unnamed {outcome}'
    if outcome.kind != 'read':
        return str(outcome)
    read = outcome.result
    if not (np.isfinite(read['times']).all() and (np.diff(read['times']) >= 0).all()):
        return f'times {read["times"]}'
    if {image.shape for image in read['imgs']} != {read['imgs'][0].shape}:
        return 'pictures of several sizes'
    if len(read['imgs']) != len(read['inds']) or np.abs(read['waveforms']).max() > 4:
        return 'not what was asked for'
    shown = np.array([read_code(image) for image in read['imgs']])
    seconds = np.minimum(read['times'][read['inds']], (NUM_FRAMES - 1) / FPS)
    age = seconds - shown / FPS
    if (age < -1e-3).any() or (age > HOLD_SECONDS + 1 / FPS).any():
        return 'undetected'
    return 'held' if (age > 1 / FPS - 1e-3).any() else 'right'
