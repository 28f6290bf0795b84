"""Costs of a handful of videos, by hand."""

import pytest
import torch

from avgn_mm.registry import METRICS


def evaluate(*samples):
    metric = METRICS.build(dict(type='CostMetric'))
    for sample in samples:
        metric.process({}, [sample])
    return metric.evaluate(len(samples))


def test_gmacs_and_frames():
    assert evaluate(
        dict(gmacs=1.0, frames_encoded=4, frames_focused=2),
        dict(gmacs=2.0, frames_encoded=5, frames_focused=2),
        dict(gmacs=6.0, frames_encoded=6, frames_focused=2),
    ) == pytest.approx({
        # 95 % of the way from the first to the third: 2 + 0.9 * (6 - 2).
        'cost/gmacs_mean': 3.0, 'cost/gmacs_p50': 2.0, 'cost/gmacs_p95': 5.6,
        'cost/frames_encoded': 5.0, 'cost/frames_focused': 2.0})


def test_exit_histogram():
    result = evaluate(*(dict(gmacs=1.0, exit_step=torch.tensor(step)) for step in (1, 1, 4, 2)))
    exits = {name: value for name, value in result.items() if 'exit' in name}
    assert exits == {'cost/exit_1': 0.5, 'cost/exit_2': 0.25, 'cost/exit_3': 0.0,
                     'cost/exit_4': 0.25, 'cost/exit_mean': 2.0}


def test_missing_cost_is_said_once(monkeypatch):
    told = []
    monkeypatch.setattr('avgn_mm.evaluation.metrics.cost_metric.print_log',
                        lambda message, *args: told.append(message))
    metric = METRICS.build(dict(type='CostMetric'))
    for _ in range(2):
        metric.process({}, [dict(pred_score=torch.ones(3), frames_encoded=3)])
        assert metric.evaluate(1) == {}
    assert len(told) == 1 and 'CostHook' in told[0]
