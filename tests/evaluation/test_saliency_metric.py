"""Saliency average precision against hand-computed values."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from avgn_mm.evaluation.metrics.saliency_metric import SaliencyMetric, average_precision
from avgn_mm.registry import METRICS


def event(start, end, **kwargs):
    return dict(start_seconds=start, end_seconds=end, **kwargs)


def test_average_precision_by_hand():
    # Hits stand at ranks 1 and 3 of four: (1/1 + 2/3) / 2.
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(scores, np.array([1, 0, 1, 0], bool)) == pytest.approx(5 / 6)
    # One tie of the ranks 1 to 3 with two hits gives 2/3; the last hit, at rank 4, gives 3/4.
    scores = np.array([0.5, 0.5, 0.5, 0.2])
    for positive in ([1, 1, 0, 1], [0, 1, 1, 1]):
        expected = 2 / 3 * 2 / 3 + 1 / 3 * 3 / 4
        assert average_precision(scores, np.array(positive, bool)) == pytest.approx(expected)


def test_all_scores_equal_give_the_event_rate():
    positive = np.array([1, 0, 0, 0, 1], bool)
    assert average_precision(np.zeros(5), positive) == pytest.approx(0.4)


def test_metric_pools_frames_of_all_videos():
    metric = METRICS.build(dict(type='SaliencyMetric'))
    # Ends are half-open: 1.0 belongs to the event, 2.0 does not. A heard event counts as well.
    metric.process({}, [
        dict(saliency=torch.tensor([0.9, 0.2, 0.4]), frame_times=np.array([1.0, 0.0, 2.0]),
             events=[event(1.0, 2.0, visible=False, audible=True)]),
        dict(saliency=torch.tensor([0.3, 0.8]), frame_times=np.array([5.0, 0.5]),
             events=[event(4.0, 5.5, visible=True, audible=False)])])
    result = metric.evaluate(2)
    # In the pool the hits have the ranks 1 (0.9) and 4 (0.3) of five.
    assert result == pytest.approx({
        'saliency/AP': (1 + 2 / 4) / 2, 'saliency/event_rate': 0.4, 'saliency/lift': 0.75 / 0.4})


def test_nothing_to_score_is_said_once(monkeypatch):
    told = []
    monkeypatch.setattr('avgn_mm.evaluation.metrics.saliency_metric.print_log',
                        lambda message, *args: told.append(message))
    metric = SaliencyMetric()
    for _ in range(2):
        metric.process({}, [dict(pred_score=torch.ones(3)), dict(pred_score=torch.ones(3))])
        assert metric.evaluate(2) == {}
    assert len(told) == 1 and 'saliency' in told[0]


def test_no_event_frame_gives_no_number():
    metric = SaliencyMetric()
    metric.process({}, [dict(saliency=torch.ones(1), frame_times=np.zeros(1), events=[])])
    assert metric.evaluate(1) == {}


def test_shapes_must_agree():
    sample = dict(saliency=torch.ones(3), frame_times=np.zeros(2), events=[])
    with pytest.raises(ValueError, match=r'\(3,\).*\(2,\)'):
        SaliencyMetric().process({}, [sample])


def test_runs_beside_other_metrics_in_an_evaluator():
    evaluator = Evaluator([METRICS.build(dict(type=name))
                           for name in ('SaliencyMetric', 'PatchHitMetric')])
    evaluator.process([dict(pred_score=torch.ones(3))])
    assert evaluator.evaluate(1) == {}
