"""Checkpoints of which the last good one is always there."""

import contextlib
import glob
import os.path as osp
from collections.abc import Iterator

import torch
from mmengine.dist import all_reduce_params, is_distributed, is_main_process
from mmengine.fileio import BaseStorageBackend, put_text
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint

from avgn_mm.registry import HOOKS

from .loops import EpochBasedTrainLoop


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """MMEngine's hook, in whose place it stands, for runs that may be killed at any moment.

    An outdated checkpoint goes only when that which replaces it is on the disk, and
    ``last_checkpoint`` never names a file that is not whole (``avgn_mm.compat`` lets MMEngine write
    files whole). Weights that are not finite are not saved. Arguments are the same.

    Raises:
        OSError: If a checkpoint cannot be written, naming the last good one.
        FloatingPointError: If a weight is not finite.
    """

    def before_train(self, runner: Runner) -> None:
        """Clear away what a kill has left behind, and know again what was saved before it."""
        super().before_train(runner)
        # Without it MMEngine would not save again, with the new best one noted, when a validation
        # that was cut off is made good before the resumed run's first checkpoint.
        self.last_ckpt = runner.message_hub.get_info('last_ckpt', None)
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            runner.logger.warning(
                f'{type(runner.train_loop).__name__} can be resumed, but not exactly: random '
                "numbers will differ. train_cfg.type='EpochBasedTrainLoop' can, with checkpoints "
                'within epochs too: default_hooks.checkpoint.by_epoch=False')
        if not is_main_process():
            return
        for path in glob.glob(osp.join(glob.escape(self.out_dir), '*.partial')):
            self.file_backend.remove(path)
        if runner.iter and self.max_keep_ckpts > 0 and (
                len(self.keep_ckpt_ids) == self.max_keep_ckpts):
            self._remove(self.keep_ckpt_ids[0] - self.interval)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights from which no training can go on."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, parameter in model.named_parameters():
            if not torch.isfinite(parameter).all():
                raise FloatingPointError(
                    f'{name} is not finite after iteration {checkpoint["meta"]["iter"]}, '
                    'nothing was saved. '
                    + _how_to_go_on(runner, 'Lower the learning rate or clip gradients'))

    def _save_checkpoint(self, runner: Runner) -> None:
        if not self.by_epoch and is_distributed():
            # Only the first process saves its statistics; at the end of an epoch SyncBuffersHook
            # has made those of all processes equal.
            all_reduce_params(runner.model.buffers(), op='mean')
        super()._save_checkpoint(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save; then say that it is the last one; then remove what is outdated."""
        if isinstance(self.file_backend, _RemoveLater):
            self.file_backend.remove_now()
        outdated = None
        if self.max_keep_ckpts > 0 and (not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.keep_ckpt_ids.popleft()
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        with _clear_errors(runner):
            runner.save_checkpoint(
                self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
                backend_args=self.backend_args, **self.args)
            if is_main_process():
                put_text(self.last_ckpt, osp.join(runner.work_dir, 'last_checkpoint'))
        if outdated is not None and is_main_process():
            self._remove(outdated)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best one; then remove that which was the best; then write it down."""
        if not self.save_best:
            return
        backend, self.file_backend = self.file_backend, _RemoveLater(self.file_backend)
        try:
            with _clear_errors(runner):
                super()._save_best_checkpoint(runner, metrics)
            self.file_backend.remove_now()
        finally:
            self.file_backend = backend

    def _remove(self, step: int) -> None:
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # as DeepSpeed writes them
            self.file_backend.rmtree(path)


class _RemoveLater:
    """A file backend that keeps files until there is something in their place."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self.backend = backend
        self.outdated = []

    def remove(self, path: str) -> None:
        self.outdated.append((self.backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.outdated.append((self.backend.rmtree, path))

    def remove_now(self) -> None:
        while self.outdated:
            remove, path = self.outdated.pop()
            remove(path)

    def __getattr__(self, name: str) -> object:
        return getattr(self.backend, name)


@contextlib.contextmanager
def _clear_errors(runner: Runner) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None or hasattr(error, 'explained'):
            raise
        message = f'cannot save {error.filename}: {error.strerror}. ' + _how_to_go_on(
            runner, 'Make room')
        clear = OSError(error.errno, message)
        clear.explained = True
        raise clear from error


def _how_to_go_on(runner: Runner, cure: str) -> str:
    last = find_latest_checkpoint(runner.work_dir)
    return f'{cure} and ' + (
        f'go on with --resume from the last good checkpoint, {last}' if last else
        'begin anew: no checkpoint had been saved yet')
