"""Top-k accuracy and mAP of videos with one label or several (section 4.1, Tables 1 and 3 to 7)."""

import logging
from collections import OrderedDict

import numpy as np
from mmaction.evaluation import AccMetric as _AccMetric
from mmaction.evaluation import mean_average_precision
from mmengine.logging import print_log

from avgn_mm.registry import METRICS


@METRICS.register_module()
class AccMetric(_AccMetric):
    """MMAction2's ``AccMetric``, in whose place it stands, for any kind of label.

    Arguments, names and values are the same; beyond it

    - top-k accuracy takes videos with several labels: one of them among the k best is a hit;
    - mAP takes videos with one label, given by its index; a class that no video shows is left out
      of the mean without a warning, and moves no other class.

    mAP is as the field has it: for each class the average precision over all videos (of
    scikit-learn's definition, not interpolated) of the scores *after softmax over the classes*,
    which ``average_clips='prob'`` of a head makes. Logits would rank the videos of a class
    otherwise; they are warned of once.

    Raises:
        ValueError: If ``mean_class_accuracy``, which needs one label a video, meets several.
    """
    _told = False

    def calculate(self, preds: list[np.ndarray], labels: list[int | np.ndarray]
                  ) -> dict[str, float]:
        """Compute the metrics.

        Args:
            preds (list[np.ndarray]): Scores (C,) of each of N videos.
            labels (list[int | np.ndarray]): Class index or many-hot vector (C,) of each.
        """
        scores = np.stack(preds)
        hot = np.stack([self._many_hot(label, scores.shape[1]) for label in labels])
        results = OrderedDict()
        for metric in self.metrics:
            if metric == 'top_k_accuracy':
                topk = self.metric_options.get(metric, {}).get('topk', (1, 5))
                best = np.argsort(scores, axis=1)[:, ::-1]  # as MMAction2 orders equal scores
                for k in (topk, ) if isinstance(topk, int) else topk:
                    hits = np.take_along_axis(hot, best[:, :k], axis=1).any(axis=1)
                    results[f'top{k}'] = hits.mean()
            elif metric == 'mean_average_precision':
                self._check_probabilities(scores)
                shown = hot.any(axis=0)
                results[metric] = mean_average_precision(
                    list(scores[:, shown]), list(hot[:, shown]))
            else:
                results.update(self._calculate_stock(metric, scores, hot))
        return results

    def _calculate_stock(self, metric: str, scores: np.ndarray, hot: np.ndarray) -> dict:
        """What MMAction2 computes right from one kind of label, which it is given."""
        labels = list(hot.astype(int))
        if metric == 'mean_class_accuracy':
            several = np.flatnonzero(hot.sum(axis=1) != 1)
            if len(several):
                raise ValueError(f'mean_class_accuracy needs one label a video, but {len(several)} '
                                 f'of {len(hot)} have another number; leave it out of metric_list')
            labels = hot.argmax(axis=1).tolist()
        stock = _AccMetric(metric_list=metric, metric_options=self.metric_options)
        return stock.calculate(list(scores), labels)

    @staticmethod
    def _many_hot(label: int | np.ndarray, num_classes: int) -> np.ndarray:
        if np.ndim(label) == 0:
            return np.arange(num_classes) == label
        return np.asarray(label) == 1

    def _check_probabilities(self, scores: np.ndarray) -> None:
        sums = scores.sum(axis=1, dtype=np.float64)
        if not self._told and (scores.min() < 0 or np.abs(sums - 1).max() > 1e-2):
            self._told = True
            print_log("pred_score is not a softmax over the classes: this mAP is not the field's; "
                      "set average_clips='prob' in model.cls_head", 'current', logging.WARNING)
