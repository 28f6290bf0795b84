"""Patch hit rate against hand-computed values."""

import numpy as np
import pytest
import torch

from avgn_mm.evaluation.metrics.patch_metric import PatchHitMetric, centre_at
from avgn_mm.registry import METRICS

# The centre wanders from (0.2, 0.2) to (0.4, 0.6) within two seconds.
MOVING = dict(start_seconds=1.0, end_seconds=3.0, visible=True, audible=True,
              box=[0.1, 0.1, 0.3, 0.3], box_end=[0.3, 0.5, 0.5, 0.7])


def sample(boxes, selected, times, events, **kwargs):
    return dict(patch_boxes=torch.tensor(boxes, dtype=torch.float), events=events,
                selected=torch.tensor(selected), frame_times=np.array(times),
                img_shape=(100, 100), **kwargs)


def test_centre_moves_evenly():
    assert centre_at(MOVING, 1.0) == pytest.approx([0.2, 0.2])
    assert centre_at(MOVING, 2.0) == pytest.approx([0.3, 0.4])
    assert centre_at(MOVING, 2.5) == pytest.approx([0.35, 0.5])


def test_hits_by_hand():
    metric = METRICS.build(dict(type='PatchHitMetric'))
    # At 1.0 the centre is at pixel (20, 20), at 2.5 at (35, 50); a centre crop of 40 pixels spans
    # 30..70. Frame 1 (0.5 s) and the time 3.0 lie outside of the half-open interval.
    metric.process({}, [sample(
        boxes=[[0, 0, 40, 40], [60, 30, 100, 70], [30, 30, 70, 70], [0, 0, 40, 40]],
        selected=[2, 3, 1, 0], times=[3.0, 0.5, 1.0, 2.5], events=[MOVING])])
    # Patch: hit, miss. Centre crop: miss, hit.
    assert metric.evaluate(1) == {
        'patch/hit_rate': 0.5, 'patch/centre_hit_rate': 0.5, 'patch/lift': 1.0,
        'patch/num_frames': 2}


def test_box_order_is_x_before_y():
    event = dict(MOVING, box=[0.7, 0.0, 0.9, 0.2], box_end=[0.7, 0.0, 0.9, 0.2])
    metric = PatchHitMetric()
    metric.process({}, [sample([[60, 0, 100, 40]], [0], [1.5], [event])])
    metric.process({}, [sample([[0, 60, 40, 100]], [0], [1.5], [event])])
    result = metric.evaluate(2)
    assert result['patch/hit_rate'] == 0.5
    assert 'patch/lift' not in result  # the centre crop never hits


def test_crop_quadruple_leads_back_to_the_frame():
    # The input shows x in 0.5..1 and y in 0..0.5 of the frame: the centre (0.8, 0.1) of the frame
    # is pixel (60, 20) of the input.
    event = dict(MOVING, box=[0.7, 0.0, 0.9, 0.2], box_end=[0.7, 0.0, 0.9, 0.2])
    metric = PatchHitMetric()
    metric.process({}, [sample([[55, 15, 65, 25]], [0], [1.5], [event],
                               crop_quadruple=np.array([0.5, 0, 0.5, 0.5]))])
    assert metric.evaluate(1)['patch/hit_rate'] == 1


def test_heard_events_and_samples_without_patches_do_not_count():
    metric = PatchHitMetric()
    heard = dict(MOVING, visible=False)
    metric.process({}, [sample([[0, 0, 40, 40]], [0], [1.0], [heard]),
                        dict(pred_score=torch.ones(3))])
    assert metric.evaluate(2) == {}


def test_nothing_to_score_is_said_once(monkeypatch):
    told = []
    monkeypatch.setattr('avgn_mm.evaluation.metrics.patch_metric.print_log',
                        lambda message, *args: told.append(message))
    metric = PatchHitMetric()
    for _ in range(2):
        metric.process({}, [dict(pred_score=torch.ones(3), events=[MOVING])])
        assert metric.evaluate(1) == {}
    assert len(told) == 1 and 'patch_boxes' in told[0]


def test_one_box_per_selected_frame():
    with pytest.raises(ValueError, match='1 patch_boxes for 2 selected'):
        PatchHitMetric().process({}, [sample([[0, 0, 1, 1]], [0, 1], [1.0, 2.0], [MOVING])])
