"""Where unreadable files are written down, and what becomes of unreadable test videos."""

import os.path as osp
from collections.abc import Iterator

import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import all_gather_object, barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from avgn_mm.datasets.audio_visual_dataset import AudioVisualDataset
from avgn_mm.datasets.bad_files import FILENAME
from avgn_mm.registry import HOOKS


@HOOKS.register_module()
class BadFilesHook(Hook):
    """List unreadable files in ``work_dir/bad_files.jsonl``; count unreadable test videos as wrong.

    The datasets of a run, in all their worker processes and on all ranks, write to one list. What
    stood there of the same annotation list is dropped when a run starts, but not when it is
    resumed. In validation and testing a video that cannot be read is replaced by a black and
    silent one, whose prediction is replaced by the lowest score for what it shows, so that every
    metric counts it as wrong; how many there were is logged as ``unreadable``.
    """

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Tell the training set where the list is."""
        loop = runner.train_loop
        self._attach(runner, loop.dataloader, anew=runner.iter == 0)
        started = getattr(loop, 'dataloader_iterator', None)
        if started is not None and loop.dataloader.num_workers:
            # Loops that count iterations have started their workers, which do not know the list.
            loop.dataloader_iterator = type(started)(loop.dataloader)

    def before_val(self, runner: Runner) -> None:
        self._attach(runner, runner.val_loop.dataloader)
        _count_as_wrong(runner.val_loop.evaluator)

    def before_test(self, runner: Runner) -> None:
        self._attach(runner, runner.test_loop.dataloader)
        _count_as_wrong(runner.test_loop.evaluator)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._report(runner, runner.val_loop.evaluator, 'val', metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._report(runner, runner.test_loop.evaluator, 'test', metrics)

    def _attach(self, runner: Runner, loader: DataLoader, anew: bool = True) -> None:
        path = osp.join(runner.work_dir, FILENAME)
        for dataset in _video_sets(loader.dataset):
            if dataset.ann_file in self._begun:
                continue
            self._begun.add(dataset.ann_file)
            dataset.list_bad_files(path)
            if anew and is_main_process():
                dataset.bad_files.forget()
        barrier()

    def _report(self, runner: Runner, evaluator: Evaluator, mode: str,
                metrics: dict[str, float] | None) -> None:
        found = set().union(*all_gather_object(evaluator.unreadable))
        evaluator.unreadable.clear()
        if not found:
            return
        runner.logger.warning(
            f'{len(found)} {mode} videos could not be read and count as wrong, see '
            f'{osp.join(runner.work_dir, FILENAME)}: ' + ', '.join(sorted(found)[:5])
            + (', ...' if len(found) > 5 else ''))
        runner.message_hub.update_scalar(f'{mode}/unreadable', len(found))
        if metrics is not None:
            metrics['unreadable'] = len(found)


def _video_sets(dataset: Dataset) -> Iterator[AudioVisualDataset]:
    """The sets that read video files, within those that repeat or join others."""
    if isinstance(dataset, AudioVisualDataset):
        yield dataset
    for inner in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if inner is not None:
            yield from _video_sets(inner)


def _count_as_wrong(evaluator: Evaluator) -> None:
    """Let an evaluator replace predictions of unreadable videos, and collect their names."""
    if hasattr(evaluator, 'unreadable'):
        return
    evaluator.unreadable = set()
    process = evaluator.process

    def process_all(data_samples: list[ActionDataSample], data_batch: dict | None = None) -> None:
        for sample in data_samples:
            if 'unreadable' in sample:
                evaluator.unreadable.add(sample.unreadable)
                _predict_wrong(sample)
        process(data_samples=data_samples, data_batch=data_batch)

    evaluator.process = process_all


def _predict_wrong(sample: ActionDataSample) -> None:
    """Score every class 0 and the true ones -1: last among all videos, and not among the best."""
    scores = torch.zeros_like(sample.pred_score)
    truth = sample.gt_label
    if truth.is_floating_point():  # one-hot
        scores[truth.to(scores.device) > 0] = -1
    else:
        scores[truth[truth >= 0].to(scores.device)] = -1
    sample.set_pred_score(scores)
    sample.set_pred_label(scores.argmax(dim=0, keepdim=True))
