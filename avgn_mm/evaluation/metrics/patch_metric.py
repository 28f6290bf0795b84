"""Do the patches of pi (section 3.3) find *where* the class shows? Scored against known boxes."""

import logging
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from avgn_mm.registry import METRICS


def centre_at(event: dict, seconds: float) -> np.ndarray:
    """Centre (x, y) of an event's object, in 0..1 of the frame.

    The object moves evenly from ``box`` at ``start_seconds`` to ``box_end`` at ``end_seconds``.
    """
    share = (seconds - event['start_seconds']) / (event['end_seconds'] - event['start_seconds'])
    x1, y1, x2, y2 = (1 - share) * np.array(event['box']) + share * np.array(event['box_end'])
    return np.array([x1 + x2, y1 + y2]) / 2


@METRICS.register_module()
class PatchHitMetric(BaseMetric):
    """How often a patch holds the object's centre, against a centre crop of the same size.

    Only selected frames whose time lies in the half-open interval of a *visible* event count.
    Patches are in pixels of the network's input (``img_shape``); ``crop_quadruple``, which
    MMAction2's crops write, leads back to the whole frame, in whose 0..1 the boxes are given.

    Reads ``patch_boxes`` (k, 4), ``selected`` (k,), ``frame_times`` (T,), ``img_shape`` (h, w),
    ``crop_quadruple`` (x, y, w, h; optional) and ``events``; list the last four among
    ``PackActionInputs``' ``meta_keys``. Writes ``hit_rate``, ``centre_hit_rate``, ``lift`` (their
    quotient, where the centre crop hits at all) and ``num_frames``. Where no sample has these
    fields, as with a model without patches, it says so once and writes nothing.
    """

    default_prefix = 'patch'
    _told = False

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the hits of a batch, one entry per sample as the collection expects."""
        for sample in data_samples:
            result = {}
            if sample.get('patch_boxes') is not None and sample.get('events') is not None:
                result = self._hits(sample)
            self.results.append(result)

    @staticmethod
    def _hits(sample: dict) -> dict:
        height, width = sample['img_shape'][:2]
        crop_quadruple = sample.get('crop_quadruple')
        if crop_quadruple is None:
            crop_quadruple = (0, 0, 1, 1)
        offset, scale = np.split(np.asarray(crop_quadruple, dtype=float), 2)
        boxes = sample['patch_boxes'].detach().cpu().numpy().reshape(-1, 2, 2)
        selected = sample['selected'].tolist()
        if len(boxes) != len(selected):
            raise ValueError(f'{len(boxes)} patch_boxes for {len(selected)} selected frames; '
                             'there must be one box for each')
        hits, centre_hits = [], []
        for index, corners in zip(selected, boxes):
            seconds = sample['frame_times'][index]
            event = next((event for event in sample['events'] if event['visible']
                          and event['start_seconds'] <= seconds < event['end_seconds']), None)
            if event is None:
                continue
            centre = (centre_at(event, seconds) - offset) / scale * (width, height)
            hits.append(bool(np.all((corners[0] <= centre) & (centre <= corners[1]))))
            from_middle = np.abs(centre - np.array([width, height]) / 2)
            centre_hits.append(bool(np.all(from_middle <= (corners[1] - corners[0]) / 2)))
        return dict(hits=hits, centre_hits=centre_hits)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over all counted frames of all videos."""
        results = [result for result in results if result]
        hits = [hit for result in results for hit in result['hits']]
        if not hits:
            if not self._told:
                self._told = True
                why = ('no selected frame lies in a visible event' if results else
                       'no sample holds both "patch_boxes" (written by the model) and "events" '
                       '(from the data set, listed in meta_keys)')
                print_log(f'PatchHitMetric has nothing to score: {why}', 'current',
                          logging.WARNING)
            return {}
        centre_hits = [hit for result in results for hit in result['centre_hits']]
        hit_rate, centre_hit_rate = float(np.mean(hits)), float(np.mean(centre_hits))
        metrics = dict(hit_rate=hit_rate, centre_hit_rate=centre_hit_rate, num_frames=len(hits))
        if centre_hit_rate:
            metrics['lift'] = hit_rate / centre_hit_rate
        return metrics
