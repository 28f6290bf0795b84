"""Long videos in windows of T frames, and what annotators thought of each shot (AVGN, section 4.3).

A sample is a window, not a video: however long a video is, T frames of it are in memory. The paper
does not say how T frames become a curve over minutes. Here a video is cut into enough equal slots,
at least one for each shot, and its W windows share them out: window w takes the slots w, w + W,
w + 2W, ... So each window spans the whole video, as in training, and its saliencies, which eq. 12
scales by the greatest of the T, can be compared with those of the others.
"""

import json
import math
import os.path as osp

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import DATASETS, TRANSFORMS

from .data_root import join_inside

_LAYOUTS = ('interleaved', 'contiguous')


def count_windows(num_shots: int, num_frames: int, frames_per_shot: float = 1.0) -> int:
    """How many windows of T frames give each shot at least ``frames_per_shot`` on average."""
    return max(1, math.ceil(num_shots * frames_per_shot / num_frames))


@DATASETS.register_module()
class HighlightDataset(BaseDataset):
    """Windows of annotated videos, for ``HighlightMetric``; test mode only.

    A sample's results start with ``filename``, ``window`` (from 0), ``num_windows``,
    ``shot_seconds``, ``category`` and ``annotations``, (annotators, shots) uint8: list the last
    five and ``slot_times`` among the ``meta_keys`` of ``PackActionInputs``.

    Args:
        ann_file (str): JSON as ``tools/data/tvsum/prepare.py`` writes it: ``shot_seconds`` and
            ``videos``, each with ``path``, ``category`` and ``scores``, a list of the shots'
            scores for each annotator.
        pipeline (list[dict | Callable]): ``AVInit``, ``SampleWindow``, ...
        num_frames (int): T, as in ``SampleWindow``.
        frames_per_shot (float): At least 1, so that no shot goes without a frame. Defaults to 1.
        categories (Sequence[str], optional): Only videos of these. Defaults to None: all.
        allow_outside (bool): Let annotations name files outside ``data_prefix['video']``. Defaults
            to False.
        **kwargs: Of MMEngine's ``BaseDataset``; ``data_prefix=dict(video=...)`` is the folder of
            the files.

    Raises:
        FileNotFoundError: If the annotations are missing.
        ValueError: If they are not as above, naming the video.
    """

    def __init__(self, ann_file: str, pipeline: list, *, num_frames: int,
                 frames_per_shot: float = 1.0, categories: list[str] | None = None,
                 data_prefix: dict | None = None, allow_outside: bool = False,
                 test_mode: bool = True, **kwargs) -> None:
        if frames_per_shot < 1:
            raise ValueError(f'frames_per_shot must be at least 1, got {frames_per_shot}')
        if not test_mode:
            raise ValueError('HighlightDataset has no labels to train on: test_mode must be True')
        self.num_frames = num_frames
        self.frames_per_shot = frames_per_shot
        self.categories = categories
        self.allow_outside = allow_outside
        super().__init__(ann_file=ann_file, pipeline=pipeline, test_mode=True,
                         data_prefix=data_prefix or dict(video=''), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotations; an entry for each window of each video."""
        data_list = []
        folder = self.data_prefix.get('video') or ''
        shot_seconds, videos = read_annotations(self.ann_file)
        for video in videos:
            if self.categories is not None and video['category'] not in self.categories:
                continue
            annotations = video['scores']
            number = count_windows(annotations.shape[1], self.num_frames, self.frames_per_shot)
            filename = join_inside(folder, video['path'], self.ann_file, self.allow_outside)
            data_list += [
                dict(filename=filename, window=window, num_windows=number,
                     shot_seconds=shot_seconds, category=video['category'],
                     annotations=annotations)
                for window in range(number)]
        if not data_list:
            raise ValueError(f'{self.ann_file} holds no video'
                             + (f' of {self.categories}' if self.categories else ''))
        return data_list


def read_annotations(path: str) -> tuple[float, list[dict]]:
    """Read what ``tools/data/tvsum/prepare.py`` writes.

    Returns:
        tuple[float, list[dict]]: Seconds of a shot, and the videos; their ``scores`` are
        (annotators, shots) uint8.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If a video lacks something or its annotators disagree on the number of shots.
    """
    if not osp.exists(path):
        raise FileNotFoundError(f'{path} does not exist; tools/data/tvsum/prepare.py writes it')
    with open(path, encoding='utf-8') as file:
        content = json.load(file)
    videos = []
    for video in content['videos']:
        missing = {'path', 'category', 'scores'} - set(video)
        if missing:
            raise ValueError(f'{path}: {video.get("path", video)} lacks {sorted(missing)}')
        lengths = {len(scores) for scores in video['scores']}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f'{path}: the annotators of {video["path"]} scored '
                             f'{sorted(lengths)} shots; all must score the same, at least one')
        videos.append(dict(video, scores=np.asarray(video['scores'], dtype=np.uint8)))
    return float(content['shot_seconds']), videos


@TRANSFORMS.register_module()
class SampleWindow(BaseTransform):
    """Choose the T frames of one of a video's windows, in coarse-to-fine order.

    A frame is the one on screen at the middle of its slot, by its presentation time, so that
    variable frame rates do no harm.

    Required Keys:

        - video_reader
        - window, num_windows: optional; 0 and 1, which is T frames over the whole video

    Added Keys:

        - slot_times (np.ndarray): (T,) float64 seconds since the first frame: the slots' middles
        - frame_inds (np.ndarray): (T,) int64
        - frame_times (np.ndarray): (T,) float64 seconds on the container's clock

    Args:
        num_frames (int): T.
        layout (str): 'interleaved': a window spans the video; or 'contiguous': it is a stretch of
            the video, whose scores are then relative to that stretch. Defaults to 'interleaved'.
    """

    def __init__(self, *, num_frames: int, layout: str = 'interleaved') -> None:
        if num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {num_frames}')
        if layout not in _LAYOUTS:
            raise ValueError(f'layout must be one of {_LAYOUTS}, got {layout!r}')
        self.num_frames = num_frames
        self.layout = layout

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        reader = results['video_reader']
        window, number = results.get('window', 0), results.get('num_windows', 1)
        slots = np.arange(self.num_frames * number)
        slots = (slots[window::number] if self.layout == 'interleaved'
                 else slots[window * self.num_frames:][:self.num_frames])
        slots = slots[coarse_to_fine_order(self.num_frames)]
        seconds = (slots + 0.5) * reader.duration_seconds / (self.num_frames * number)
        inds = np.searchsorted(reader.times, reader.times[0] + seconds, side='right') - 1
        results['slot_times'] = seconds
        results['frame_inds'] = inds
        results['frame_times'] = reader.times[inds]
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(num_frames={self.num_frames}, '
                f'layout={self.layout!r})')
