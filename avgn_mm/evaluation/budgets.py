"""Accuracy and computation at many budgets from one pass over a data set.

Features are computed once for a video and reused for every T_G, and for each T_G the logits after
1, 2, ... frames are all there: fixed numbers of frames and early exit are then only a choice of
columns.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from mmengine.utils import track_iter_progress
from torch import nn

from avgn_mm.registry import METRICS

from .exits import exit_steps


@dataclass
class BudgetPredictions:
    """What a pass found with one T_G, for N videos and K numbers of frames to look at.

    Attributes:
        num_focus: The k, K of them, rising.
        logits: After k frames, (N, K, C).
        frames_encoded: By f_G for k frames, (N, K).
        gmacs: 10^9 multiply-accumulates of k frames with one classification at the end, (N, K).
        exit_gmacs: The same with a classification after each frame, (N, K).
    """
    num_focus: list[int]
    logits: torch.Tensor
    frames_encoded: np.ndarray
    gmacs: np.ndarray
    exit_gmacs: np.ndarray

    def at(self, num_focus: int, score: Callable[[torch.Tensor], dict]) -> dict[str, float]:
        """Accuracy and means of the cost if each video is looked at k times.

        Args:
            num_focus (int): k, one of this object's.
            score (Callable): From logits (N, C) to accuracies, as ``AccuracyScore`` has it.
        """
        columns = np.full(len(self.logits), self.num_focus.index(num_focus))
        return self._measure(columns, self.gmacs, score)

    def with_exits(self, thresholds: Sequence[float], score: Callable[[torch.Tensor], dict]
                   ) -> dict[str, float]:
        """The same with early exit, for which this object must hold k = 1, 2, ..., K."""
        columns = exit_steps(self.confidences(len(thresholds)), thresholds) - 1
        return self._measure(columns, self.exit_gmacs, score)

    def confidences(self, num_steps: int) -> np.ndarray:
        """Greatest logit after each of the first frames, (N, num_steps)."""
        if self.num_focus[:num_steps] != list(range(1, num_steps + 1)):
            raise ValueError(f'early exit over {num_steps} steps needs the logits after each of '
                             f'them, but only k={self.num_focus} were kept')
        return self.logits[:, :num_steps].amax(dim=2).numpy()

    def _measure(self, columns: np.ndarray, gmacs: np.ndarray,
                 score: Callable[[torch.Tensor], dict]) -> dict[str, float]:
        """Take one column of each video."""
        rows = np.arange(len(columns))
        accuracies = score(self.logits[rows, columns])
        return {
            **{name: float(value) for name, value in accuracies.items()},
            'gmacs': float(gmacs[rows, columns].mean()),
            'frames_encoded': float(self.frames_encoded[rows, columns].mean()),
            'frames_focused': float(np.asarray(self.num_focus)[columns].mean()),
        }


class AccuracyScore:
    """The config's own accuracy of logits, with the names that they have in a test's log.

    Args:
        cfg (Config): With an ``AccMetric`` in ``test_evaluator``.
        head (nn.Module): The classification head, which turns logits into scores.
        labels (Sequence[torch.Tensor]): ``gt_label`` of the N videos.

    Attributes:
        name: Of the first accuracy, for example ``acc/top1``; known after the first call.

    Raises:
        ValueError: If the config has no ``AccMetric``.
    """

    def __init__(self, cfg: Config, head: nn.Module, labels: Sequence[torch.Tensor]) -> None:
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, (list, tuple)):
            evaluators = [evaluators]
        for evaluator in evaluators:
            if evaluator['type'] in ('AccMetric', 'mmaction.AccMetric'):
                break
        else:
            raise ValueError(f'test_evaluator of {cfg.filename} holds no AccMetric, so there is '
                             'no accuracy to put beside the computation')
        self.metric: BaseMetric = METRICS.build(evaluator)
        self.head = head
        self.labels = labels
        self.name: str | None = None

    def __call__(self, logits: torch.Tensor) -> dict[str, float]:
        """Score logits (N, C)."""
        scores = self.head.average_clip(logits, num_segs=1)
        self.metric.process(None, [dict(pred_score=score, gt_label=label)
                                   for score, label in zip(scores, self.labels)])
        accuracies = self.metric.evaluate(len(self.labels))
        self.name = next(iter(accuracies))
        return accuracies


def check_budgets(model: nn.Module, budgets: Mapping[int, Sequence[int]]
                  ) -> dict[int, list[int]]:
    """Sort and check budgets for a model.

    Args:
        model (nn.Module): The recognizer.
        budgets (Mapping[int, Sequence[int]]): The k to try with each T_G.

    Returns:
        dict[int, list[int]]: The same, rising and without repetition. Without AV-TeST T_G makes no
        difference, and there is only T_G = 0 with all k.

    Raises:
        ValueError: If T_G or k is not in 1..T, or the recognizer has no such budgets.
    """
    if not hasattr(model, 'predict_budgets'):
        raise ValueError(f'{type(model).__name__} has no T_G and k to sweep over: it lacks '
                         '`predict_budgets`, which AVGN has')
    if model.temporal_glance is None:
        budgets = {0: [k for num_focus in budgets.values() for k in num_focus]}
    for number in (*budgets, *(k for num_focus in budgets.values() for k in num_focus)):
        if number not in range(model.temporal_glance is not None, model.num_frames + 1):
            raise ValueError(f'T_G and k must be in 1..{model.num_frames} '
                             f'(model.num_frames={model.num_frames}), got {number}')
    return {number: sorted(set(budgets[number])) for number in sorted(budgets)}


@torch.no_grad()
def predict_all(model: nn.Module, data_loader: Iterable, budgets: Mapping[int, Sequence[int]],
                progress: bool = True
                ) -> tuple[dict[int, BudgetPredictions], list[torch.Tensor]]:
    """Run a data loader through a recognizer once.

    Args:
        model (nn.Module): An AVGN in eval mode.
        data_loader (Iterable): Batches of a test pipeline.
        budgets (Mapping[int, Sequence[int]]): The k to keep for each T_G, as
            :func:`check_budgets` returns them.
        progress (bool): Whether to show a bar on the error stream. Defaults to True.

    Returns:
        tuple[dict[int, BudgetPredictions], list[torch.Tensor]]: For each T_G what was found, and
        the videos' labels, both in the order of the loader.
    """
    parts = {number: [] for number in budgets}
    labels = []
    if progress:
        data_loader = track_iter_progress((data_loader, len(data_loader)), file=sys.stderr)
    for batch in data_loader:
        batch = model.data_preprocessor(batch, False)
        inputs = batch['inputs']
        labels += [sample.gt_label.cpu() for sample in batch['data_samples']]
        # Videos share their few numbers of encoded frames.
        gmacs = functools.cache(
            functools.partial(model.cost.gmacs, *model.unpack(inputs)))
        for number, (logits, encoded) in model.predict_budgets(inputs, list(budgets)).items():
            num_focus = budgets[number]
            columns = [k - 1 for k in num_focus]
            encoded = encoded[:, columns].cpu().numpy()
            parts[number].append((
                logits[:, columns].float().cpu(), encoded,
                [[gmacs(number, e, k, 1) for e, k in zip(row, num_focus)]
                 for row in encoded.tolist()],
                [[gmacs(number, e, k, k) for e, k in zip(row, num_focus)]
                 for row in encoded.tolist()]))
    found = {}
    for number, batches in parts.items():
        logits, *arrays = zip(*batches)
        found[number] = BudgetPredictions(
            list(budgets[number]), torch.cat(logits), *map(np.concatenate, arrays))
    return found, labels


def sweep(cfg: Config, model: nn.Module, budgets: dict[int, list[int]], exits: dict | None = None,
          data_loader: Iterable | None = None) -> dict:
    """Evaluate all budgets in one pass.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``.
        model (nn.Module): In eval mode.
        budgets (dict[int, list[int]]): The k for each T_G, from ``check_budgets``.
        exits (dict, optional): The content of a thresholds file.
        data_loader (Iterable, optional): Instead of the config's.

    Returns:
        dict: ``num_videos``, ``metric``, ``cells`` and ``exits``.
    """
    wanted = dict(budgets)
    if exits is not None:
        steps = range(1, len(exits['thresholds']) + 1)
        number = exits['num_glances']
        wanted = check_budgets(model, {**wanted, number: [*wanted.get(number, ()), *steps]})
    if data_loader is None:
        data_loader = Runner.build_dataloader(cfg.test_dataloader)
    predictions, labels = predict_all(model, data_loader, wanted)
    score = AccuracyScore(cfg, model.cls_head, labels)
    cells = [dict(num_glances=number, num_focus=k, **predictions[number].at(k, score))
             for number, num_focus in budgets.items() for k in num_focus]
    curve = []
    if exits is not None:
        curve = [dict(num_glances=number, power=member['power'],
                      **predictions[number].with_exits(member['thresholds'], score))
                 for member in exits['family']]
    return dict(num_videos=len(labels), metric=score.name, cells=cells, exits=curve)
