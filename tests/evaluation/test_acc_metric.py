"""mAP against scikit-learn; top-k and mAP for one label and several, by hand and as MMAction2."""

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric as StockAccMetric
from mmengine.registry import DefaultScope
from sklearn.metrics import average_precision_score

from avgn_mm.evaluation.metrics import AccMetric
from avgn_mm.registry import METRICS

MAP = 'mean_average_precision'


def evaluate(metric, scores, labels):
    """Run a metric on videos as a test loop does; labels are lists of classes."""
    metric.process(None, [dict(pred_score=torch.as_tensor(score), gt_label=torch.as_tensor(label))
                          for score, label in zip(scores, labels)])
    return metric.evaluate(len(scores))


def random_videos(seed, num_videos=400, num_classes=24, absent=(5, 23)):
    """Softmax scores, half of them coarse so that many are equal, and several labels a video."""
    rng = np.random.default_rng(seed)
    scores = torch.tensor(3 * rng.normal(size=(num_videos, num_classes))).softmax(dim=1)
    scores = scores.round(decimals=2) if seed % 2 else scores
    labels = rng.random((num_videos, num_classes)) < 0.1
    labels[:, list(absent)] = False
    labels[np.arange(num_videos), rng.integers(5, size=num_videos)] = True
    return scores, labels.astype(int)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.filterwarnings('error')  # MMAction2's divides by zero where a class is absent
def test_map_is_scikit_learns(seed):
    scores, labels = random_videos(seed)
    ours = evaluate(AccMetric(metric_list=MAP), scores, labels)[f'acc/{MAP}']
    by_class = [average_precision_score(labels[:, c], scores[:, c].numpy())
                for c in range(labels.shape[1]) if labels[:, c].any()]
    assert len(by_class) == 22
    assert abs(ours - np.mean(by_class)) < 1e-9


def test_map_of_single_labels_is_that_of_their_one_hot_form():
    scores, labels = random_videos(0)
    index = labels.argmax(axis=1)
    one_hot = np.eye(24, dtype=int)[index]
    single = evaluate(AccMetric(metric_list=MAP), scores, index[:, None])
    assert single == evaluate(AccMetric(metric_list=MAP), scores, one_hot)
    # Class 1 has one video, whose score is the second best of three; class 2 has none.
    scores = [[0.9, 0.1, 0.0], [0.7, 0.2, 0.1], [0.2, 0.5, 0.3]]
    result = evaluate(AccMetric(metric_list=MAP), scores, [[0], [1], [0]])
    assert result[f'acc/{MAP}'] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_values_are_mmaction2s_where_it_has_any():
    scores, labels = random_videos(2, absent=())
    metrics = ('mean_average_precision', 'mmit_mean_average_precision')
    assert evaluate(AccMetric(metric_list=metrics), scores, labels) == pytest.approx(
        evaluate(StockAccMetric(metric_list=metrics), scores, labels), abs=1e-12)
    index = labels.argmax(axis=1)[:, None]
    for options in (dict(), dict(metric_options=dict(top_k_accuracy=dict(topk=3)))):
        assert evaluate(AccMetric(**options), scores, index) == evaluate(
            StockAccMetric(**options), scores, index)


def test_top_k_of_several_labels_by_hand():
    scores = [[0.5, 0.3, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]
    labels = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]]
    metric = AccMetric(metric_list='top_k_accuracy',
                       metric_options=dict(top_k_accuracy=dict(topk=(1, 2, 3))))
    assert evaluate(metric, scores, labels) == pytest.approx(
        {'acc/top1': 1 / 3, 'acc/top2': 2 / 3, 'acc/top3': 1})


def test_mean_class_accuracy_refuses_several_labels():
    with pytest.raises(ValueError, match='2 of 3 have another number'):
        evaluate(AccMetric(), [[0.5, 0.5]] * 3, [[1, 1], [1, 0], [0, 0]])


def test_logits_are_warned_of_once(monkeypatch):
    told = []
    monkeypatch.setattr('avgn_mm.evaluation.metrics.acc_metric.print_log',
                        lambda message, *args: told.append(message))
    metric = AccMetric(metric_list=MAP)
    for _ in range(2):
        evaluate(metric, [[3.0, -1.0], [0.0, 1.0]], [[1, 0], [0, 1]])
    assert len(told) == 1 and "average_clips='prob'" in told[0]
    evaluate(AccMetric(metric_list=MAP), [[0.3, 0.7]], [[1, 0]])
    assert len(told) == 1


def test_configs_get_this_one():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        assert type(METRICS.build(dict(type='AccMetric'))) is AccMetric
        assert type(METRICS.build(dict(type='mmaction.AccMetric'))) is StockAccMetric
