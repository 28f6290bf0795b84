"""Does the saliency s_t (section 3.2) find *when* the class shows? Scored against known events."""

import logging
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from avgn_mm.registry import METRICS


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Sum precision over the steps of recall (scikit-learn's definition, no interpolation).

    Equal scores share one threshold, so their order does not matter.

    Args:
        scores (np.ndarray): (N,) the higher, the more likely positive.
        positive (np.ndarray): (N,) bool, at least one of them true.
    """
    order = np.argsort(-scores, kind='stable')
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(positive[order])[last_of_ties]
    precision = found / (last_of_ties + 1)
    return float(np.sum(precision * np.diff(found, prepend=0)) / positive.sum())


@METRICS.register_module()
class SaliencyMetric(BaseMetric):
    """Average precision of the saliency against "this frame lies in an event".

    All frames of all videos form one pool. A frame is positive if its time lies in the half-open
    interval of any event, be it seen, heard or both: saliency is made of sight and sound.

    Reads ``saliency`` (T,), ``frame_times`` (T,) in seconds and in the same order, and ``events``
    (dicts with ``start_seconds`` and ``end_seconds``; put it among ``PackActionInputs``'
    ``meta_keys``). Writes ``AP``, ``event_rate`` (the share of positive frames, which is the AP of
    random scores) and ``lift`` (AP / event_rate). Where no sample has these fields, as with a
    model without saliency, it says so once and writes nothing.
    """

    default_prefix = 'saliency'
    _told = False

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep scores and truth of a batch, one entry per sample as the collection expects."""
        for sample in data_samples:
            result = {}
            if sample.get('saliency') is not None and sample.get('events') is not None:
                times = np.asarray(sample['frame_times'])
                positive = np.zeros(len(times), dtype=bool)
                for event in sample['events']:
                    positive |= (event['start_seconds'] <= times) & (times < event['end_seconds'])
                scores = sample['saliency'].detach().cpu().numpy()
                if scores.shape != times.shape:
                    raise ValueError(f'saliency has the shape {scores.shape}, but frame_times '
                                     f'{times.shape}; both must hold one value per frame')
                result = dict(scores=scores, positive=positive)
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the pool of all frames."""
        results = [result for result in results if result]
        positive = np.concatenate([result['positive'] for result in results] or [[]]).astype(bool)
        if not positive.any():
            if not self._told:
                self._told = True
                why = ('no frame lies in an event' if results else
                       'no sample holds both "saliency" (written by the model) and "events" '
                       '(from the data set, listed in meta_keys)')
                print_log(f'SaliencyMetric has nothing to score: {why}', 'current',
                          logging.WARNING)
            return {}
        ap = average_precision(np.concatenate([r['scores'] for r in results]), positive)
        event_rate = float(positive.mean())
        return dict(AP=ap, event_rate=event_rate, lift=ap / event_rate)
