"""What accuracy was paid with: the computation that the videos really used (Tables 1 and 3)."""

import logging
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from avgn_mm.registry import METRICS

FIELDS = ('gmacs', 'frames_encoded', 'frames_focused', 'exit_step')


@METRICS.register_module()
class CostMetric(BaseMetric):
    """GMACs (the papers' GFLOPs) of a video, and how many frames it was looked at.

    Reads ``gmacs``, and where the recognizer writes them ``frames_encoded``, ``frames_focused``
    and ``exit_step`` (1, 2, ...). Recognizers that do not write ``gmacs`` get it from
    ``CostHook``. Writes ``gmacs_mean``, ``gmacs_p50``, ``gmacs_p95``, the mean ``frames_encoded``
    and ``frames_focused``, and with early exit the share of the videos that finish at each step,
    ``exit_1``, ``exit_2``, ... up to the last one used, and ``exit_mean``. Where no sample has
    ``gmacs``, it says so once and writes nothing.
    """

    default_prefix = 'cost'
    _told = False

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the costs of a batch, one entry per sample as the collection expects."""
        for sample in data_samples:
            self.results.append({field: float(sample[field]) for field in FIELDS
                                 if sample.get(field) is not None})

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Summarise over all videos."""
        gmacs, encoded, focused, exits = (
            np.array([result[field] for result in results if field in result])
            for field in FIELDS)
        if not len(gmacs):
            if not self._told:
                self._told = True
                print_log('CostMetric has nothing to report: no sample holds "gmacs", which the '
                          "model or custom_hooks=[dict(type='CostHook')] writes", 'current',
                          logging.WARNING)
            return {}
        metrics = dict(gmacs_mean=gmacs.mean(), gmacs_p50=np.percentile(gmacs, 50),
                       gmacs_p95=np.percentile(gmacs, 95))
        if len(encoded):
            metrics['frames_encoded'] = encoded.mean()
        if len(focused):
            metrics['frames_focused'] = focused.mean()
        if len(exits):
            for step in range(1, int(exits.max()) + 1):
                metrics[f'exit_{step}'] = (exits == step).mean()
            metrics['exit_mean'] = exits.mean()
        return {name: float(value) for name, value in metrics.items()}
