"""GlanceBench: a small generated benchmark on which *when*, *where* and *what* can be scored.

An untrimmed video shows its class only in a few short events: a small disc at a random place,
with a sound. The disc's colour, seen at a glance, tells a group of classes; the fine pattern in it,
lost at a quarter of the resolution, tells the class within it; the sound never settles the class.
Clutter, dim distractor objects and other sounds fill the rest. The benchmark is this project's
own; the paper has nothing like it.
"""

import dataclasses
import functools
import json
import os
import os.path as osp

import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from avgn_mm.registry import DATASETS

from . import glancebench_render as render
from .audio_visual_dataset import AudioVisualDataset

SPLITS = ('train', 'val', 'test')
MANIFEST = 'glancebench.json'
FORMAT_VERSION = 1  # raise it with any change of what the same settings and seed draw


@dataclasses.dataclass(frozen=True, kw_only=True)
class GlanceBenchSpec:
    """Every number of a GlanceBench set.

    Args:
        num_train, num_val, num_test (int): Videos per split.
        image_size (int): Height and width in pixels, even.
        fps (int): Frames per second.
        seconds (tuple[float, float]): Shortest and longest video.
        num_hues (int): Colours of the disc, 1 to 6.
        num_patterns (int): Fine patterns, 1 to 4. There are ``num_hues * num_patterns`` classes.
        object_pixels (int): Diameter of the disc.
        event_share (tuple[float, float]): Least and greatest part of the time that events cover.
        event_seconds (tuple[float, float]): Shortest and longest event.
        drift_pixels_per_second (float): Greatest speed of the disc along x and along y.
        num_distractors (tuple[int, int]): Fewest and most distractor objects.
        distractor_pattern_rate (float): Part of them that carry a fine pattern, any of all.
        silent_rate (float): Part of the events that are only seen.
        heard_only_rate (float): Part of the events that are only heard (a little less in the end,
            because one event of every video is seen).
        no_audio_rate (float): Part of the videos that have no audio track; all their events are
            seen.
        num_distractor_sounds (tuple[int, int]): Fewest and most sounds that mean nothing.
        sound_snr_db (tuple[float, float]): Power of a sound over that of the noise.
        sample_rate (int): Of the audio track, in Hz.
        crf (int): x264's quality, lower is better.
        gop_frames (int): A keyframe stands at least every so many frames.
    """

    num_train: int
    num_val: int
    num_test: int
    image_size: int
    fps: int
    seconds: tuple[float, float]
    num_hues: int
    num_patterns: int
    object_pixels: int
    event_share: tuple[float, float] = (0.12, 0.3)
    event_seconds: tuple[float, float] = (0.5, 1.2)
    drift_pixels_per_second: float = 6.0
    num_distractors: tuple[int, int] = (2, 4)
    distractor_pattern_rate: float = 0.5
    silent_rate: float = 0.25
    heard_only_rate: float = 0.15
    no_audio_rate: float = 0.1
    num_distractor_sounds: tuple[int, int] = (0, 2)
    sound_snr_db: tuple[float, float] = (-12.0, -6.0)
    sample_rate: int = 16000
    crf: int = 20
    gop_frames: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.num_hues <= len(render.HUES):
            raise ValueError(f'num_hues must be 1 to {len(render.HUES)}, got {self.num_hues}')
        if not 1 <= self.num_patterns <= len(render.PATTERNS):
            raise ValueError(
                f'num_patterns must be 1 to {len(render.PATTERNS)}, got {self.num_patterns}')
        if self.image_size % 2 or self.object_pixels >= self.image_size:
            raise ValueError('image_size must be even and above object_pixels, got '
                             f'{self.image_size} and {self.object_pixels}')
        for name in ('seconds', 'event_share', 'event_seconds', 'num_distractors',
                     'num_distractor_sounds', 'sound_snr_db'):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f'{name} must be (least, greatest), got {(low, high)}')

    @property
    def classes(self) -> list[str]:
        """list[str]: Names by label; the label is ``hue * num_patterns + pattern``."""
        return [f'{hue} {pattern}' for hue in list(render.HUES)[: self.num_hues]
                for pattern in render.PATTERNS[: self.num_patterns]]

    @property
    def num_sounds(self) -> int:
        return len({self.sound_of(*divmod(i, self.num_patterns))
                    for i in range(len(self.classes))})

    def sound_of(self, hue: int, pattern: int) -> int:
        """Index of the sound that a class makes.

        In every block of four hues, the first two share one sound per pattern: hue and sound
        together settle the class. The other two have one sound per hue, which says no more than
        the hue does. So only the fine pattern settles every class.
        """
        block, place = divmod(hue, 4)
        per_block = self.num_patterns + 2
        return block * per_block + (pattern if place < 2 else self.num_patterns + place - 2)


SPECS = dict(
    mini=GlanceBenchSpec(
        num_train=1200, num_val=120, num_test=300, image_size=112, fps=8, seconds=(8, 8),
        num_hues=4, num_patterns=2, object_pixels=28, event_share=(0.2, 0.3),
        distractor_pattern_rate=0.15),
    full=GlanceBenchSpec(
        num_train=8000, num_val=1000, num_test=2000, image_size=256, fps=25, seconds=(20, 30),
        num_hues=6, num_patterns=4, object_pixels=64, event_seconds=(0.8, 2.5),
        drift_pixels_per_second=12.0, num_distractors=(3, 8), num_distractor_sounds=(1, 6),
        crf=26, gop_frames=50),
)


def _place_spans(lengths: list[int], total: int, rng: np.random.Generator) -> list[int]:
    """Place spans at random into ``range(total)``, at least one step apart.

    Returns:
        list[int]: The starts, in the spans' order.
    """
    free = total - sum(lengths) - len(lengths) + 1
    gaps = np.sort(rng.integers(0, free + 1, size=len(lengths)))
    return [int(gap) + sum(lengths[:i]) + i for i, gap in enumerate(gaps)]


def plan_video(spec: GlanceBenchSpec, label: int, rng: np.random.Generator) -> dict:
    """Decide when, where and how a video shows its class; nothing is drawn yet.

    Returns:
        dict: ``label``, ``hue``, ``pattern``, ``sound``, ``num_frames``, ``has_audio``,
        ``events`` and ``distractor_sounds`` (first frame and number of frames of each).
    """
    hue, pattern = divmod(label, spec.num_patterns)
    num_frames = round(rng.uniform(*spec.seconds) * spec.fps)
    has_audio = bool(rng.random() >= spec.no_audio_rate)

    # Events first get the least length; what is left of their time is dealt out frame by frame.
    shortest, longest = (round(seconds * spec.fps) for seconds in spec.event_seconds)
    event_frames = round(rng.uniform(*spec.event_share) * num_frames)
    fewest, most = -(-event_frames // longest), max(1, event_frames // shortest)
    lengths = [shortest] * int(rng.integers(fewest, max(fewest, most) + 1))
    for _ in range(event_frames - sum(lengths)):
        open_events = [i for i, length in enumerate(lengths) if length < longest]
        lengths[open_events[rng.integers(len(open_events))]] += 1

    # Distractor sounds take their places among the events so that they do not overlap.
    count = rng.integers(spec.num_distractor_sounds[0], spec.num_distractor_sounds[1] + 1)
    spans = [(length, True) for length in lengths]
    spans += [(int(rng.integers(shortest, longest + 1)), False) for _ in range(count)]
    spans = [spans[i] for i in rng.permutation(len(spans))]
    starts = _place_spans([length for length, _ in spans], num_frames, rng)

    room = spec.image_size - spec.object_pixels
    events = []
    for start, (length, is_event) in zip(starts, spans):
        if is_event:
            corner = rng.integers(0, room + 1, size=2)
            reach = spec.drift_pixels_per_second * length / spec.fps
            corner_end = np.clip(corner + rng.uniform(-reach, reach, size=2), 0, room)
            kind = rng.random()
            heard_only = has_audio and kind >= 1 - spec.heard_only_rate
            events.append(dict(
                start_frame=start, num_frames=length, visible=not heard_only,
                audible=has_audio and kind >= spec.silent_rate,
                corner=corner.tolist(), corner_end=corner_end.tolist()))
    if not any(event['visible'] for event in events):
        events[rng.integers(len(events))]['visible'] = True
    return dict(
        label=label, hue=hue, pattern=pattern, sound=spec.sound_of(hue, pattern),
        num_frames=num_frames, has_audio=has_audio, events=events,
        distractor_sounds=[(start, length) for start, (length, is_event) in zip(starts, spans)
                           if not is_event])


def _video_rng(seed: int, split: str, index: int) -> np.random.Generator:
    # A generator of its own for each video: neither order nor number of processes matters.
    return np.random.default_rng([seed, SPLITS.index(split), index])


def _make_video(task: tuple[str, str, int], spec: GlanceBenchSpec, seed: int) -> None:
    path, split, index = task
    rng = _video_rng(seed, split, index)
    plan = plan_video(spec, index % len(spec.classes), rng)
    frames = render.draw_frames(spec, plan, rng)
    sound = render.make_sound(spec, plan, rng) if plan['has_audio'] else None
    render.write_video(path, frames, sound, spec)


def _ground_truth(spec: GlanceBenchSpec, plan: dict) -> dict:
    """Put a plan's events into seconds and boxes relative to the frame."""
    events = []
    for event in plan['events']:
        boxes = []
        for x, y in (event['corner'], event['corner_end']):
            box = np.array([x, y, x + spec.object_pixels, y + spec.object_pixels])
            boxes.append((box / spec.image_size).round(5).tolist())
        end_frame = event['start_frame'] + event['num_frames']
        events.append(dict(
            start_seconds=event['start_frame'] / spec.fps, end_seconds=end_frame / spec.fps,
            visible=event['visible'], audible=event['audible'], box=boxes[0], box_end=boxes[1]))
    return dict(has_audio=plan['has_audio'], events=events)


def check_manifest(path: str, wanted: dict) -> None:
    """Keep what a set is made with, or compare it with what the set there was made with.

    Args:
        path (str): The manifest, in the set's folder; written if it is not there.
        wanted (dict): The settings; those of ``spec`` are compared one by one.

    Raises:
        ValueError: If the folder holds a set of other settings.
    """
    wanted = json.loads(json.dumps(wanted))
    if not osp.exists(path):
        with open(path, 'w') as file:
            json.dump(wanted, file, indent=2)
        return
    with open(path) as file:
        found = json.load(file)
    if found != wanted:
        old, new = ({**m, **m.pop('spec', {})} for m in (found, wanted))
        changes = [f'{name}: {old.get(name)} there, {new.get(name)} now'
                   for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        raise ValueError(
            f'{osp.dirname(path)} holds a set of other settings ({"; ".join(changes)}). '
            'Choose another folder, or delete that one to make it anew.')


def generate(spec: GlanceBenchSpec, out_dir: str, seed: int = 0, workers: int = 1) -> None:
    """Write a GlanceBench set: videos, annotation lists, class names and ground truth.

    ``out_dir`` gets ``videos/{split}/{id}.mp4``, ``{split}.txt`` (MMAction2's list format),
    ``classes.txt`` and ``{split}_events.json``: by path as in the list, ``has_audio`` and
    ``events`` with ``start_seconds``, ``end_seconds`` (half-open), ``visible``, ``audible``,
    ``box`` and ``box_end`` (x1, y1, x2, y2 in 0..1 at start and end; in between it moves evenly).
    Videos that are there already are kept, so an interrupted run can be repeated.

    Args:
        spec (GlanceBenchSpec): What to make, for example ``SPECS['mini']``.
        out_dir (str): The folder to write; made if it is not there.
        seed (int): The same seed and settings give the same content.
        workers (int): Processes to work in.

    Raises:
        ValueError: If ``out_dir`` holds a set of other settings or of another seed.
    """
    os.makedirs(out_dir, exist_ok=True)
    check_manifest(osp.join(out_dir, MANIFEST), dict(
        format_version=FORMAT_VERSION, seed=seed, spec=dataclasses.asdict(spec)))
    tasks = []
    for split in SPLITS:
        os.makedirs(osp.join(out_dir, 'videos', split), exist_ok=True)
        lines, truths = [], {}
        for index in range(getattr(spec, f'num_{split}')):
            name = f'videos/{split}/{index:06d}.mp4'
            label = index % len(spec.classes)
            plan = plan_video(spec, label, _video_rng(seed, split, index))
            truths[name] = _ground_truth(spec, plan)
            lines.append(f'{name} {label}\n')
            path = osp.join(out_dir, name)
            if not osp.exists(path):
                tasks.append((path, split, index))
        with open(osp.join(out_dir, f'{split}.txt'), 'w') as file:
            file.writelines(lines)
        with open(osp.join(out_dir, f'{split}_events.json'), 'w') as file:
            json.dump(truths, file)
    with open(osp.join(out_dir, 'classes.txt'), 'w') as file:
        file.writelines(f'{name}\n' for name in spec.classes)

    make_video = functools.partial(_make_video, spec=spec, seed=seed)
    if workers > 1 and len(tasks) > 1:
        track_parallel_progress(make_video, tasks, workers, chunksize=4, keep_order=False)
    elif tasks:
        track_progress(make_video, tasks)


@DATASETS.register_module()
class GlanceBenchDataset(AudioVisualDataset):
    """A split of GlanceBench, or of another set of its form, whose samples also hold ``events``.

    List ``events`` among the ``meta_keys`` of ``PackActionInputs`` to hand it to the metrics.

    Args:
        event_file (str): ``{split}_events.json``; relative to ``data_root`` where that is given.
        **kwargs: As for :class:`AudioVisualDataset`.
    """

    def __init__(self, *args, event_file: str, **kwargs) -> None:
        self.event_file = event_file
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation list and add ``events`` to each of its videos.

        Raises:
            ValueError: If the event file says nothing of a listed video.
        """
        path = osp.join(self.data_root or '', self.event_file)
        with open(path) as file:
            truths = json.load(file)
        data_list = super().load_data_list()
        for info in data_list:
            name = osp.relpath(info['filename'], self.data_prefix.get('video') or '.')
            if name not in truths:
                raise ValueError(f'{path} says nothing of {name}, which is in {self.ann_file}')
            info['events'] = truths[name]['events']
        return data_list
