"""Training that goes on after a kill as an unbroken run would have.

MMEngine's checkpoints hold neither the state of any random generator nor the place within an epoch,
and what a worker process draws depends on all that it has drawn before. Here nothing of it has to
be kept: every random number follows from the run's seed and from what it is drawn for, which is a
sample (by epoch and index), an iteration or a validation. Augmentation thus does not depend on the
number of workers and processes either.
"""

import contextlib
import functools
import itertools
import math
import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop as _EpochBasedTrainLoop
from torch.utils.data import BatchSampler, Dataset

from avgn_mm.registry import LOOPS

# What random numbers are drawn for; with the seed and two counts it makes a key.
_SAMPLE, _ITERATION, _VALIDATION = 1, 2, 3


@LOOPS.register_module()
class EpochBasedTrainLoop(_EpochBasedTrainLoop):
    """MMEngine's loop, in whose place it stands, which can be resumed exactly.

    Checkpoints within an epoch, as ``CheckpointHook(by_epoch=False)`` writes them, are resumed with
    the next batch, without loading what the epoch had before it. A validation that was cut off
    is made good before training goes on. A loss that is not finite stops the run.

    Raises:
        FloatingPointError: For a loss that is not finite, naming the iteration and the files.
    """

    def run(self) -> torch.nn.Module:
        """Train."""
        self._follow_seed()
        self.runner.call_hook('before_train')
        if self.runner.message_hub.get_info('validated_epoch', 0) < self._epoch:
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        self._batches.epoch, self._batches.start = self._epoch, done
        for idx, data_batch in enumerate(self.dataloader, start=done):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Train on a batch."""
        seed_all(self.runner.seed, _ITERATION, self._iter, 0)
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        outputs = self.runner.model.train_step(data_batch, optim_wrapper=self.runner.optim_wrapper)
        # Before any hook could save the weights that came of it.
        self._check_losses(idx, data_batch, outputs)
        self.runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch,
                              outputs=outputs)
        self._iter += 1

    def _follow_seed(self) -> None:
        """Make order and augmentation follow from the seed, which is known once it is resumed.

        MMEngine builds the sampler before it resumes: without a seed in the config, a resumed run
        would shuffle by another one than that which it restores.
        """
        runner, loader = self.runner, self.dataloader
        # With `diff_rank_seed` the ranks differ in what the model draws, not in what is shuffled.
        differs = runner._randomness_cfg.get('diff_rank_seed', False)
        seed = runner.seed - get_rank() if differs else runner.seed
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            if hasattr(sampler, 'seed'):
                sampler.seed = seed
        self._batches = _Batches(loader.batch_sampler)
        # The loader refuses it, lest it be changed under an iterator; there is none yet.
        object.__setattr__(loader, 'batch_sampler', self._batches)
        # PyTorch's loaders ask a dataset that has this method for all samples of a batch at once.
        loader.dataset.__getitems__ = functools.partial(_get_samples, loader.dataset, seed)

    def _validate(self) -> None:
        self._decide_current_val_interval()
        loop = self.runner.val_loop
        if loop is None or self._epoch < self.val_begin or (
                self._epoch % self.val_interval and self._epoch != self._max_epochs):
            return
        # Checkpoints that are written in the course of it hold its outcome.
        self.runner.message_hub.update_info('validated_epoch', self._epoch)
        seed_all(self.runner.seed, _VALIDATION, self._epoch, 0)
        loop.run()

    def _check_losses(self, idx: int, data_batch: dict, outputs: dict) -> None:
        losses = {name: torch.as_tensor(value).float() for name, value in outputs.items()
                  if 'loss' in name}
        if not losses:
            return
        # Together, as a GPU is waited for each time.
        losses = dict(zip(losses, torch.stack([*losses.values()]).tolist()))
        wrong = {name: f'{name} is {value}' for name, value in losses.items()
                 if not math.isfinite(value)}
        if len(wrong) > 1:
            wrong.pop('loss', None)  # their sum
        if wrong:
            raise FloatingPointError(
                f'{", ".join(wrong.values())} at iteration {self._iter + 1} (epoch '
                f'{self._epoch + 1}, batch {idx + 1} of {len(self.dataloader)}), whose files are '
                f'{_files(data_batch)}. No checkpoint was written after it. Look at these files, '
                'or lower the learning rate, and go on '
                'with --resume')


class _Batches:
    """A batch sampler that says with each index for which epoch it is, and can begin later."""

    def __init__(self, batches: BatchSampler) -> None:
        self.batches = batches
        self.epoch = 0
        self.start = 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in itertools.islice(self.batches, self.start, None):
            yield [(self.epoch, index) for index in batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str) -> object:
        return getattr(self.batches, name)


def seed_all(*key: int) -> None:
    """Let Python's, NumPy's and PyTorch's generators, of all devices, begin anew by a key."""
    seed = _seed(key)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _seed(key: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0])


@contextlib.contextmanager
def _drawing_for(*key: int) -> Iterator[None]:
    """Draw by a key on the CPU, and leave no trace of it in the process."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed = _seed(key)
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed() would reset GPUs as well
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _get_samples(dataset: Dataset, seed: int, batch: list[tuple[int, int]]) -> list:
    samples = []
    for epoch, index in batch:
        with _drawing_for(seed, _SAMPLE, epoch, index):
            samples.append(dataset[index])
    return samples


def _files(data_batch: dict) -> str:
    names = [sample.get('filename') for sample in data_batch.get('data_samples', [])]
    return ', '.join(name or 'unnamed (no filename in meta_keys)' for name in names)
