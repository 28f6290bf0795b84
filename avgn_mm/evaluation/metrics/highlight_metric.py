"""Highlight detection on TVSum, scored by top-5 mAP over shots and annotators (AVGN, Table 2).

The paper names the measure only. This is what the public code of the field computes: UMT (Liu et
al., CVPR 2022, `datasets/tvsum.py`), from which the methods after it took it, and, for step 3,
already MINI-Net (Hong et al., ECCV 2020), one of the rows of Table 2:

1. A video is its 2-second shots. A shot's score is the model's.
2. For each of the 20 annotators a shot is a highlight if they scored it above their own median in
   this video (the lower one of the two middle scores where their number is even).
3. The 5 best shots of the model are taken in their order. Over them, with r_j the number of
   highlights among the first j, precision p_j = r_j / j, p_0 = 1, AP is the mean of
   (p_{j-1} + p_j) / 2 over those j that are highlights; 0 if there are none.
4. The mean over annotators and videos (TVSum has 5 videos in each category, so that the mean over
   categories is the same).

AP is relative to the hits within the 5, not to all highlights: one hit, at the first place, counts
1. Hence ``all_mAP`` beside it: average precision over the ranking of all shots, as scikit-learn
defines it, of the same highlights. MINI-Net's code takes an annotator's best half of the shots for
step 2, ties broken by position; numbers that were computed so are not quite comparable.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from avgn_mm.registry import METRICS

from .saliency_metric import average_precision


def shot_scores(slot_times: np.ndarray, saliency: np.ndarray, num_shots: int,
                shot_seconds: float) -> np.ndarray:
    """The mean saliency in each shot; the last shot lasts to the end of the video.

    Args:
        slot_times (np.ndarray): (N,) seconds since the video's start, in any order.
        saliency (np.ndarray): (N,).
        num_shots (int): n.
        shot_seconds (float): Length of a shot.

    Returns:
        np.ndarray: (n,) float64. A shot without a slot gets what lies between its neighbours.
    """
    shots = np.clip((slot_times // shot_seconds).astype(np.int64), 0, num_shots - 1)
    numbers = np.bincount(shots, minlength=num_shots)
    sums = np.bincount(shots, weights=saliency, minlength=num_shots)
    filled = np.flatnonzero(numbers)
    return np.interp(np.arange(num_shots), filled, sums[filled] / numbers[filled])


def highlights_of(annotation: np.ndarray) -> np.ndarray:
    """Which shots (n,) an annotator's scores (n,) call highlights: those above the lower median."""
    return annotation > np.sort(annotation)[(len(annotation) - 1) // 2]


def top_average_precision(scores: np.ndarray, positive: np.ndarray, top: int = 5) -> float:
    """Step 3 above; equal scores keep the order of time.

    Args:
        scores (np.ndarray): (n,) of the shots.
        positive (np.ndarray): (n,) bool.
        top (int): How many of the best shots count.
    """
    hits = positive[np.argsort(-scores, kind='stable')[:top]]
    if not hits.any():
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    before = np.concatenate(([1.0], precision[:-1]))
    return float(((before + precision) / 2)[hits].mean())


def score_video(scores: np.ndarray, annotations: np.ndarray, top: int = 5) -> tuple[float, float]:
    """A video's means over the annotators: of the AP of its best shots, and of all its shots.

    Args:
        scores (np.ndarray): (n,).
        annotations (np.ndarray): (annotators, n). One who calls nothing a highlight has AP 0.
    """
    truths = [highlights_of(annotation) for annotation in annotations]
    return (float(np.mean([top_average_precision(scores, truth, top) for truth in truths])),
            float(np.mean([average_precision(scores, truth) if truth.any() else 0.0
                           for truth in truths])))


def reference_scores(annotations: np.ndarray, top: int = 5, num_random: int = 100,
                     seed: int = 0) -> dict[str, tuple[float, float]]:
    """What scorers that have seen no model reach on a video: bounds for a model's scores.

    Args:
        annotations (np.ndarray): (annotators, n).
        top (int): As above.
        num_random (int): Over how many random scorers the mean is taken.
        seed (int): Of these.

    Returns:
        dict[str, tuple[float, float]]: :func:`score_video`'s pair for ``random``; ``one other``:
        each annotator judged by the next one's scores; ``leave one out``: by the mean of all
        others'; ``all``: by the mean of all, his own included.
    """
    rng = np.random.default_rng(seed)
    scores = annotations.astype(np.float64)
    total = scores.sum(axis=0)

    def judged(predict) -> tuple[float, float]:
        pairs = [score_video(predict(i), annotations[i:i + 1], top) for i in range(len(scores))]
        return tuple(np.mean(pairs, axis=0).tolist())

    guesses = [score_video(rng.random(scores.shape[1]), annotations, top)
               for _ in range(num_random)]
    return {
        'random': tuple(np.mean(guesses, axis=0).tolist()),
        'one other': judged(lambda i: scores[(i + 1) % len(scores)]),
        'leave one out': judged(lambda i: total - scores[i]),
        'all': judged(lambda i: total)}


@METRICS.register_module()
class HighlightMetric(BaseMetric):
    """Join the windows of each video to shot scores and compare them with the annotators.

    Reads ``saliency`` (T,) and of ``HighlightDataset`` ``filename``, ``slot_times``, ``window``,
    ``num_windows``, ``shot_seconds``, ``category`` and ``annotations``. Writes ``top5_mAP``,
    ``all_mAP`` and the former of each category, ``top5_mAP_BK``, ... Where no sample has a
    saliency, it says so once and writes nothing.

    Args:
        top (int): How many of the best shots count. Defaults to 5.

    Raises:
        ValueError: If a sample lacks one of those fields, or a video a window.
    """

    default_prefix = 'highlight'
    _fields = ('filename', 'slot_times', 'window', 'num_windows', 'shot_seconds', 'category',
               'annotations')
    _told = False

    def __init__(self, *, top: int = 5, **kwargs) -> None:
        if top < 1:
            raise ValueError(f'top must be at least 1, got {top}')
        super().__init__(**kwargs)
        self.top = top

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep a batch's saliency, one entry per sample as the collection expects."""
        for sample in data_samples:
            if sample.get('saliency') is None:
                self.results.append({})
                continue
            missing = [name for name in self._fields if name not in sample]
            if missing:
                raise ValueError(f'a sample lacks {missing}: HighlightDataset gives them, and '
                                 "PackActionInputs hands on what is in its meta_keys")
            self.results.append({name: sample[name] for name in self._fields}
                                | dict(saliency=sample['saliency'].detach().float().cpu().numpy()))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score each video; the mean over videos."""
        videos = defaultdict(dict)
        for result in results:
            if result:
                videos[result['filename']][result['window']] = result
        if not videos:
            if not self._told:
                self._told = True
                print_log('HighlightMetric has nothing to score: no sample holds "saliency", '
                          'which the model writes', 'current', logging.WARNING)
            return {}
        found = defaultdict(list)
        for filename, windows in videos.items():
            first = next(iter(windows.values()))
            if len(windows) != first['num_windows']:
                raise ValueError(f'{filename} has {first["num_windows"]} windows, of which '
                                 f'{len(windows)} were predicted')
            scores = shot_scores(
                np.concatenate([window['slot_times'] for window in windows.values()]),
                np.concatenate([window['saliency'] for window in windows.values()]),
                first['annotations'].shape[1], first['shot_seconds'])
            found[first['category']].append(
                score_video(scores, first['annotations'], self.top))
        top, every = np.mean([pair for pairs in found.values() for pair in pairs], axis=0).tolist()
        name = f'top{self.top}_mAP'
        return {name: top, 'all_mAP': every,
                **{f'{name}_{category}': float(np.mean([pair[0] for pair in found[category]]))
                   for category in sorted(found)}}
