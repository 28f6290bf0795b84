"""A benchmark of words of the GRID corpus: ``python tools/data/grid/prepare.py TALKER``.

A sample is a short untrimmed video: a word of the task, said a few times, at random times among
other words and silence of other clips, under babble, seen through a window at a random place. See
docs/grid.md.
"""

import argparse
import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from corpus import (
    FPS,
    GRAMMAR,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    SPLITS,
    Clip,
    Footage,
    load,
    read_talker,
)
from mmengine.utils import track_parallel_progress, track_progress
from mouth import MouthFinder, motion_map

from avgn_mm.datasets.glancebench import check_manifest
from avgn_mm.datasets.glancebench_render import write_video

TASKS = ('command', 'color', 'digit', 'adverb')
FORMAT_VERSION = 1  # raise it with any change of what the same settings and seed draw


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridSpec:
    """Every number of a set.

    Args:
        task (str): The kind of word that gives the class.
        samples_per_clip (tuple[int, int, int]): Of train, val and test.
        seconds (float): Length of a sample.
        num_events (tuple[int, int]): How often, at least and at most, the task's word is said, each
            time in another clip; less where a sample has no room.
        margin (float): Seconds kept on both sides of the task's word, where no other word is.
        run_words (tuple[int, int]): Fewest and most successive words of a piece that fills up.
        silence_rate (float): Part of those pieces that are silence instead.
        piece_seconds (tuple[float, float]): Shortest piece; longest silence.
        babble_clips (int): How many other clips speak at the same time.
        snr_db (float): Power of the task's words over that of the babble.
        crop_pixels (int): Side of the square window, in pixels of the clips.
        image_size (int): Its side in the sample.
        spread (float): How far from the window's centre the mouths may be, along each axis, as a
            share of its side; further only where the clip ends.
    """

    task: str
    samples_per_clip: tuple[int, int, int] = (2, 2, 3)
    seconds: float = 2.0
    num_events: tuple[int, int] = (2, 4)
    margin: float = 0.04
    run_words: tuple[int, int] = (1, 3)
    silence_rate: float = 0.2
    piece_seconds: tuple[float, float] = (0.12, 0.4)
    babble_clips: int = 6
    snr_db: float = -5.0
    crop_pixels: int = 140
    image_size: int = 112
    spread: float = 0.2
    fade_seconds: float = 0.005
    loudness: float = 0.08  # root mean square of all samples' sound
    fps: int = FPS
    sample_rate: int = SAMPLE_RATE
    crf: int = 18
    gop_frames: int = 25

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f'task must be one of {TASKS}, got {self.task!r}')
        if len(self.samples_per_clip) != len(SPLITS) or min(self.samples_per_clip) < 1:
            raise ValueError('samples_per_clip must be a number above 0 for each of '
                             f'{SPLITS}, got {self.samples_per_clip}')
        if not 1 <= self.num_events[0] <= self.num_events[1]:
            raise ValueError('num_events must be (fewest, most), from 1 on, got '
                             f'{self.num_events}')
        if not 0 <= self.spread <= 1:
            raise ValueError(f'spread must be from 0 to 1, got {self.spread}')
        if self.image_size % 2 or not 0 < self.image_size <= self.crop_pixels:
            raise ValueError('image_size must be even and at most crop_pixels, got '
                             f'{self.image_size} and {self.crop_pixels}')

    @property
    def num_frames(self) -> int:
        return round(self.seconds * self.fps)

    @property
    def scale(self) -> float:
        return self.image_size / self.crop_pixels


@dataclasses.dataclass(frozen=True)
class Piece:
    """Frames ``[start, end)`` of a clip of the split."""

    clip: int
    start: int
    end: int

    @property
    def num_frames(self) -> int:
        return self.end - self.start


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sample is made of.

    Args:
        pieces (list[Piece]): In time.
        events (list[tuple[int, float, float]]): Clip, start and end of each of the task's words, in
            seconds of the sample.
        babble (list[tuple[int, int]]): Clips, and how many frames each is turned round.
        corner (tuple[int, int]): x, y of the window, in pixels of the reduced frame.
    """

    pieces: list[Piece]
    events: list[tuple[int, float, float]]
    babble: list[tuple[int, int]]
    corner: tuple[int, int]


def event_piece(spec: GridSpec, clip: Clip, index: int, num_frames: int) -> Piece:
    """The task's word in whole frames, with a margin where it enters no other word."""
    word = clip.word(spec.task)
    before = [other.end for other in clip.words if other.end <= word.start]
    after = [other.start for other in clip.words if other.start >= word.end]
    start = max([word.start - spec.margin, 0.0, *before])
    end = min([word.end + spec.margin, num_frames / FPS, *after])
    # Rounded against floats such as 1.08 * 25 = 27.000000000000004.
    return Piece(index, int(np.floor(round(start * FPS, 6))), int(np.ceil(round(end * FPS, 6))))


def filler(spec: GridSpec, clips: Sequence[Clip], num_frames: Sequence[int],
           others: Sequence[int], rng: np.random.Generator) -> Piece:
    """Draw a run of words, none of the task's kind, or a stretch of silence, of one of ``others``.

    Both lie in whole frames, so that no frame of another word comes with them.
    """
    shortest, longest = (round(seconds * FPS) for seconds in spec.piece_seconds)
    while True:
        index = int(rng.choice(others))
        words = clips[index].words
        silent = rng.random() < spec.silence_rate
        if silent:
            spans = (0.0, words[0].start), (words[-1].end, num_frames[index] / FPS)
            start, end = spans[rng.integers(2)]
        else:
            first = rng.integers(len(words))
            run = words[first:first + rng.integers(spec.run_words[0], spec.run_words[1] + 1)]
            kinds = [word.kind for word in run]
            run = run[:kinds.index(spec.task)] if spec.task in kinds else run
            if not run:
                continue
            start, end = run[0].start, run[-1].end
        start = int(np.ceil(round(start * FPS, 6)))
        end = min(int(np.floor(round(end * FPS, 6))), num_frames[index])
        if end - start < shortest:
            continue
        if silent:
            length = int(rng.integers(shortest, min(longest, end - start) + 1))
            start += int(rng.integers(end - start - length + 1))
            end = start + length
        return Piece(index, start, end)


def draw_events(spec: GridSpec, clips: Sequence[Clip], num_frames: Sequence[int], target: int,
                rng: np.random.Generator) -> list[Piece]:
    """The task's word of a clip, and of others that say the same, as many as there is room for.

    Raises:
        ValueError: If the clip's word is longer than a sample.
    """
    word = clips[target].word(spec.task).text
    same = [i for i, clip in enumerate(clips) if i != target and clip.word(spec.task).text == word]
    number = int(rng.integers(spec.num_events[0], spec.num_events[1] + 1))
    number = min(number, len(clips) - 1)  # one is left to fill up with
    shortest = round(spec.piece_seconds[0] * FPS)
    events: list[Piece] = []
    for index in (target, *rng.permutation(same)[:number - 1]):
        event = event_piece(spec, clips[index], int(index), num_frames[index])
        used = sum(piece.num_frames for piece in (*events, event))
        if event.num_frames < 1 or used > spec.num_frames - shortest * len(events):
            if index == target:
                raise ValueError(f'{clips[target].path}: its {spec.task} lasts {event.num_frames} '
                                 f'frames, a sample {spec.num_frames}')
            continue
        events.append(event)
    return [events[i] for i in rng.permutation(len(events))]


def plan_sample(spec: GridSpec, clips: Sequence[Clip], num_frames: Sequence[int],
                boxes: Sequence[tuple[int, int, int, int]], size: tuple[int, int], target: int,
                rng: np.random.Generator) -> Plan:
    """Decide what a sample is made of.

    Args:
        spec (GridSpec): The settings.
        clips (Sequence[Clip]): Of the split.
        num_frames (Sequence[int]): Of each clip.
        boxes (Sequence[tuple]): Where the mouth is in each clip, in pixels of the reduced frame.
        size (tuple[int, int]): Width and height of the reduced frame.
        target (int): The clip whose word gives the class.
        rng (np.random.Generator): The sample's own.

    Raises:
        ValueError: If the word is longer than the sample, or the mouths do not fit the window.
    """
    events = draw_events(spec, clips, num_frames, target, rng)
    others = np.setdiff1d(np.arange(len(clips)), [event.clip for event in events])
    shortest = round(spec.piece_seconds[0] * FPS)
    # Between two of them there is something else; the rest of the time is shared out at random.
    least = [0, *[shortest] * (len(events) - 1), 0]
    room = spec.num_frames - sum(event.num_frames for event in events) - sum(least)
    cuts = [0, *np.sort(rng.integers(room + 1, size=len(events))), room]
    pieces, spoken, position = [], [], 0
    for i, gap in enumerate(np.diff(cuts) + least):
        # Cut off where the word begins, or at the sample's end, as all cuts are.
        end = position + int(gap)
        while position < end:
            piece = filler(spec, clips, num_frames, others, rng)
            piece = dataclasses.replace(piece, end=min(piece.end, piece.start + end - position))
            pieces.append(piece)
            position += piece.num_frames
        if i < len(events):
            event = events[i]
            word, offset = clips[event.clip].word(spec.task), (position - event.start) / FPS
            pieces.append(event)
            spoken.append((event.clip, word.start + offset, word.end + offset))
            position += event.num_frames

    babble = rng.choice(others, min(spec.babble_clips, len(others)), replace=False)
    babble = [(int(i), int(rng.integers(num_frames[i]))) for i in babble]
    mouths = np.array([boxes[event.clip] for event in events])
    corner = []
    for low, high, length in zip(mouths[:, :2].min(axis=0), mouths[:, 2:].max(axis=0), size):
        least, most = max(0, high - spec.image_size), min(low, length - spec.image_size)
        if least > most:
            raise ValueError(f'{clips[target].path}: the mouths are found at {mouths.tolist()} of '
                             f'{size}, which do not fit into {spec.image_size} pixels; a larger '
                             'crop_pixels may help')
        centred = (low + high - spec.image_size) / 2
        nearest = np.clip(centred + np.array([-1, 1]) * spec.spread * spec.image_size, least, most)
        corner.append(int(rng.integers(*np.round(nearest).astype(int) + [0, 1])))
    return Plan(pieces, spoken, babble, tuple(corner))


def draw_frames(spec: GridSpec, plan: Plan, footage: Sequence[Footage]) -> np.ndarray:
    """(N, S, S, 3) uint8: the pieces, through the window."""
    x, y = plan.corner
    return np.concatenate([
        footage[piece.clip].frames[piece.start:piece.end, y:y + spec.image_size,
                                   x:x + spec.image_size] for piece in plan.pieces])


def make_sound(spec: GridSpec, plan: Plan, footage: Sequence[Footage]) -> np.ndarray:
    """(640 * N,) float32: the same pieces, faded into each other, and the babble."""
    half = round(spec.fade_seconds * SAMPLE_RATE / 2)
    ramp = (np.arange(2 * half) + 0.5) / (2 * half)
    speech = np.zeros(spec.num_frames * SAMPLES_PER_FRAME + 2 * half)
    position = 0
    for piece in plan.pieces:
        # Half a fade longer at both ends: neighbours overlap by a whole one.
        sound = np.pad(footage[piece.clip].sound, half)[
            piece.start * SAMPLES_PER_FRAME:piece.end * SAMPLES_PER_FRAME + 2 * half].copy()
        sound[:2 * half] *= ramp
        sound[len(sound) - 2 * half:] *= ramp[::-1]
        speech[position:position + len(sound)] += sound
        position += piece.num_frames * SAMPLES_PER_FRAME
    speech = speech[half:len(speech) - half]
    said = np.concatenate([speech[round(start * SAMPLE_RATE):round(end * SAMPLE_RATE)]
                           for _, start, end in plan.events])
    babble = sum(np.resize(np.roll(footage[clip].sound, -turn * SAMPLES_PER_FRAME), len(speech))
                 for clip, turn in plan.babble)
    power = np.mean(said**2) / 10**(spec.snr_db / 10)
    sound = speech + babble * np.sqrt(power / max(np.mean(babble**2), 1e-12))
    sound *= spec.loudness / max(np.sqrt(np.mean(sound**2)), 1e-6)
    return np.clip(sound, -1, 1).astype(np.float32)


def ground_truth(spec: GridSpec, plan: Plan, boxes: Sequence[tuple[int, int, int, int]]) -> dict:
    """When and where, as GlanceBenchDataset reads it; ``boxes`` of all clips."""
    events = []
    for clip, start, end in plan.events:
        corners = (np.reshape(boxes[clip], (2, 2)) - plan.corner) / spec.image_size
        box = corners.ravel().round(5).tolist()
        events.append(dict(start_seconds=round(start, 5), end_seconds=round(end, 5), visible=True,
                           audible=True, box=box, box_end=box))
    return dict(has_audio=True, events=events)


_footage: list[Footage] = []  # of the split; workers inherit it


def _hold(footage: list[Footage]) -> None:
    global _footage
    _footage = footage


def _write_sample(task: tuple[str, Plan], spec: GridSpec) -> None:
    path, plan = task
    write_video(path, draw_frames(spec, plan, _footage), make_sound(spec, plan, _footage), spec)


def check_footage(clips: Sequence[Clip], footage: Sequence[Footage]) -> None:
    """Raise a ValueError for a clip that ends before its words do, or has another picture size."""
    size = footage[0].frames.shape[1:3]
    for clip, found in zip(clips, footage):
        if found.frames.shape[1:3] != size:
            raise ValueError(f'{clip.path}: its pictures are reduced to {found.frames.shape[1:3]} '
                             f'(height, width), those of {clips[0].path} to {size}')
        end = clip.words[-1].end
        if len(found.frames) + 1 < end * FPS:
            raise ValueError(f'{clip.path}: ends after {len(found.frames) / FPS:.2f} s, its last '
                             f'word after {end:.2f} s; is the file whole?')


def generate(spec: GridSpec, talker: Path, out: Path, seed: int = 0, workers: int = 1) -> None:
    """Write the set: as :func:`avgn_mm.datasets.glancebench.generate`, and resumed as there.

    Raises:
        ValueError: If ``out`` holds a set of other settings, clips or of another seed, or a clip
            is not whole.
    """
    clips = read_talker(talker, seed)
    said = repr([(clip.name, clip.split, clip.words) for clip in clips])
    out.mkdir(parents=True, exist_ok=True)
    check_manifest(str(out / 'grid.json'), dict(
        format_version=FORMAT_VERSION, seed=seed, spec=dataclasses.asdict(spec),
        clips=len(clips), labels_sha256=hashlib.sha256(said.encode()).hexdigest()))
    (out / 'classes.txt').write_text(''.join(f'{name}\n' for name in GRAMMAR[spec.task]))
    finder = None
    for split, samples in zip(SPLITS, spec.samples_per_clip):
        members = [clip for clip in clips if clip.split == split]
        with ThreadPoolExecutor(max(1, workers)) as pool:
            footage = list(pool.map(lambda clip: load(clip.path, spec.scale), members))
            check_footage(members, footage)
            maps = list(pool.map(motion_map, members, footage))
        finder = finder or MouthFinder(maps)  # of the first split, train
        boxes = [finder.find(motion) for motion in maps]
        num_frames = [len(found.frames) for found in footage]
        size = footage[0].frames.shape[2:0:-1]
        (out / 'videos' / split).mkdir(parents=True, exist_ok=True)
        lines, truths, tasks = [], {}, []
        for number in range(samples * len(members)):
            target = number % len(members)
            rng = np.random.default_rng([seed, SPLITS.index(split), number])
            plan = plan_sample(spec, members, num_frames, boxes, size, target, rng)
            name = f'videos/{split}/{number:06d}.mp4'
            label = GRAMMAR[spec.task].index(members[target].word(spec.task).text)
            lines.append(f'{name} {label}\n')
            truths[name] = ground_truth(spec, plan, boxes)
            if not (out / name).exists():
                tasks.append((str(out / name), plan))
        (out / f'{split}.txt').write_text(''.join(lines))
        (out / f'{split}_events.json').write_text(json.dumps(truths))
        write = functools.partial(_write_sample, spec=spec)
        if workers > 1 and len(tasks) > 1:
            track_parallel_progress(write, tasks, workers, _hold, (footage, ), chunksize=4,
                                    keep_order=False)
        elif tasks:
            _hold(footage)
            track_progress(write, tasks)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Prepare a benchmark from a talker of GRID')
    parser.add_argument('talker', type=Path,
                        help='folder with clips/ and labels.csv or align/*.align')
    parser.add_argument('--task', choices=TASKS, default='color')
    parser.add_argument('--out', type=Path, help='folder to write, data/grid-TASK by default')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--samples-per-clip', type=int, nargs=3, metavar=('TRAIN', 'VAL', 'TEST'))
    parser.add_argument('--seconds', type=float, help='length of a sample')
    parser.add_argument('--num-events', type=int, nargs=2, metavar=('FEWEST', 'MOST'),
                        help="how often the task's word is said in a sample")
    parser.add_argument('--snr-db', type=float, help="the words' power over the babble's")
    parser.add_argument('--crop-pixels', type=int, help='side of the window, in source pixels')
    parser.add_argument('--spread', type=float,
                        help="how far from the window's centre mouths may be, of its side")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    settings = {name: getattr(args, name)
                for name in ('samples_per_clip', 'seconds', 'num_events', 'snr_db', 'crop_pixels',
                         'spread')}
    settings = {name: tuple(value) if isinstance(value, list) else value
                for name, value in settings.items() if value is not None}
    out = args.out or Path(f'data/grid-{args.task}')
    generate(GridSpec(task=args.task, **settings), args.talker, out, args.seed, args.workers)
    print(f'\nGRID, {args.task}: the set is in {out}')


if __name__ == '__main__':
    main()
