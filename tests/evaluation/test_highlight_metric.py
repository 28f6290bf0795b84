"""Top-5 mAP by hand, and windows joined to shots."""

import itertools

import numpy as np
import pytest
import torch

from avgn_mm.evaluation.metrics import HighlightMetric
from avgn_mm.evaluation.metrics.highlight_metric import (
    highlights_of,
    reference_scores,
    score_video,
    shot_scores,
    top_average_precision,
)


@pytest.mark.parametrize('hits, expected', [
    ([1, 1, 1, 1, 1], 1),
    ([1, 0, 0, 0, 0], 1),  # relative to the hits within the 5
    ([0, 0, 0, 0, 0], 0),
    ([0, 1, 0, 0, 0], (0 + 1 / 2) / 2),
    ([0, 0, 0, 0, 1], (0 + 1 / 5) / 2),
    # Precision 1, 1/2, 2/3, 2/4, 3/5; hits at 1, 3 and 5.
    ([1, 0, 1, 0, 1], ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 4 + 3 / 5) / 2) / 3)])
def test_top_average_precision(hits, expected):
    # Behind the five only highlights follow: they do not count.
    positive = np.array([*hits, 1, 1, 1], dtype=bool)
    scores = -np.arange(8.0)
    assert top_average_precision(scores, positive) == pytest.approx(expected, abs=1e-12)
    shuffle = np.random.default_rng(0).permutation(8)
    assert top_average_precision(scores[shuffle], positive[shuffle]) == pytest.approx(expected)


def test_ties_keep_the_order_of_time_and_short_videos_have_fewer_shots():
    assert top_average_precision(np.zeros(8), np.arange(8) == 0) == 1
    assert top_average_precision(np.zeros(8), np.arange(8) == 1) == 0.25
    assert top_average_precision(np.array([1.0, 2.0]), np.array([True, False])) == 0.25


def test_highlights_are_above_the_lower_median():
    assert highlights_of(np.array([1, 2, 3, 4])).tolist() == [False, False, True, True]
    assert highlights_of(np.array([1, 1, 1, 2, 3])).tolist() == [False, False, False, True, True]
    assert highlights_of(np.array([5, 1, 5, 5])).tolist() == [False] * 4


def test_score_video():
    """Two annotators, of whom one finds all alike."""
    annotations = np.array([[1, 2, 1, 3, 1, 1], [2, 2, 2, 2, 2, 2]])
    scores = np.array([.9, .8, .1, .2, .3, .4])
    # Ranked 0 1 5 4 3 2; hits at the second and fifth place.
    top = ((0 + 1 / 2) / 2 + (1 / 4 + 2 / 5) / 2) / 2
    every = (1 / 2 + 2 / 5) / 2
    assert score_video(scores, annotations) == pytest.approx((top / 2, every / 2), abs=1e-12)
    assert score_video(scores, annotations, top=2) == pytest.approx((0.25 / 2, every / 2))


def test_shot_scores():
    times = np.array([0.5, 5.0, 1.5, 4.0, 9.9])
    found = shot_scores(times, np.array([1.0, 5.0, 3.0, 7.0, 8.0]), 4, 2.0)
    # The second shot has no slot: between 2 and 6. The last one lasts to the end.
    assert found.tolist() == [2, 4, 6, 8]


def test_reference_scores():
    """Where all annotators agree, they predict each other, and guessing is at chance."""
    annotations = np.tile(np.repeat([1, 5], [60, 20]), (3, 1))
    found = reference_scores(annotations, num_random=400)
    assert found['one other'] == found['leave one out'] == found['all'] == (1, 1)
    # Over all orders of 60 and 20 shots: each pattern of hits with its probability ...
    top = every = 0
    for hits in itertools.product((0, 1), repeat=5):
        share, left = 1, [60, 20]
        for hit in hits:
            share *= left[hit] / sum(left)
            left[hit] -= 1
        top += share * top_average_precision(-np.arange(5.0), np.array(hits, dtype=bool))
    # ... and for all shots, the precision to expect at place i if there is a hit.
    for i in range(1, 81):
        every += (1 + (i - 1) * 19 / 79) / i / 80
    assert found['random'] == pytest.approx((top, every), abs=0.03)


def sample(filename, window, times, saliency, annotations, num_windows=2, category='VT'):
    return dict(filename=filename, window=window, num_windows=num_windows, shot_seconds=2.0,
                category=category, slot_times=np.array(times), annotations=np.array(annotations),
                saliency=torch.tensor(saliency))


def test_joins_windows_in_any_order():
    metric = HighlightMetric(top=2)
    annotations = [[1, 1, 5, 1]]
    parts = [sample('a', 1, [7.0, 3.0], [.1, .5], annotations),
             sample('b', 0, [1.0, 5.0], [.9, .3], annotations, category='BK'),
             sample('a', 0, [1.0, 5.0], [.2, .9], annotations),
             sample('b', 1, [3.0, 7.0], [.1, .2], annotations, category='BK')]
    metric.process({}, parts[:3])
    metric.process({}, parts[3:])
    found = metric.evaluate(size=4)
    assert found['highlight/top2_mAP_VT'] == 1 and found['highlight/top2_mAP_BK'] == 0.25
    assert found['highlight/top2_mAP'] == 0.625
    assert found['highlight/all_mAP'] == (1 + 1 / 2) / 2


def test_says_what_is_missing():
    metric = HighlightMetric()
    metric.process({}, [dict(filename='a')])
    assert metric.evaluate(size=1) == {}
    with pytest.raises(ValueError, match='slot_times'):
        metric.process({}, [dict(filename='a', saliency=torch.zeros(2))])
    metric.process({}, [sample('a', 0, [1.0], [.2], [[1, 2]])])
    with pytest.raises(ValueError, match='a has 2 windows, of which 1'):
        metric.evaluate(size=1)
    with pytest.raises(ValueError, match='top'):
        HighlightMetric(top=0)
