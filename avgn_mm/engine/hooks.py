"""Hooks that MMEngine lacks."""

import copy
import math

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from avgn_mm.evaluation.cost import count_macs
from avgn_mm.registry import HOOKS

from .fast import accelerate, decelerate


def predict_and_count(model: nn.Module, data_batch: dict) -> tuple[list, float]:
    """Predict as the test loop does, on copies of a batch's data samples, and count.

    Args:
        model (nn.Module): In eval mode.
        data_batch (dict): ``inputs`` and ``data_samples`` as the data loader gives them.

    Returns:
        tuple[list, float]: The predicted data samples; the GMACs of the whole model.
    """
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    predicted = []
    # A model that draws random numbers must draw the same ones as without counting.
    with torch.random.fork_rng(devices):
        macs = count_macs(lambda: predicted.extend(model.test_step(copy.deepcopy(data_batch))))
    return predicted, macs / 1e9


@HOOKS.register_module()
class CostHook(Hook):
    """Write ``gmacs`` on the data samples of recognizers that do not state it themselves.

    For each new shape of input one video is predicted once more and counted as a whole, all its
    clips and crops included. The number goes on the data samples *before* the model sees them:
    MMAction2's recognizers hand on what they are given, so that metrics and dumped predictions
    have it, and a recognizer whose cost depends on the video, as AVGN's, replaces it.
    """

    def __init__(self) -> None:
        # GMACs of a video by the shapes of its inputs; None where the model states them.
        self._gmacs: dict[tuple, float | None] = {}

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None
                        ) -> None:
        """Count where the shapes are new; state the cost of every video of the batch."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for index, sample in enumerate(data_batch['data_samples']):
            video = dict(inputs=_row(data_batch['inputs'], index), data_samples=[sample])
            shapes = _shapes(video['inputs'])
            if shapes not in self._gmacs:
                (predicted, *_), gmacs = predict_and_count(model, video)
                self._gmacs[shapes] = None if 'gmacs' in predicted else gmacs
            if self._gmacs[shapes] is not None:
                sample.set_field(self._gmacs[shapes], 'gmacs')

    before_test_iter = before_val_iter


@HOOKS.register_module()
class FastHook(Hook):
    """Test with accelerated encoders; ``tools/test.py`` adds it for ``fast_cfg = dict(...)``.

    Args:
        **options: Of :func:`~avgn_mm.engine.fast.accelerate`.
    """

    # After other hooks have changed the weights, as EMAHook does.
    priority = 'VERY_LOW'

    def __init__(self, **options) -> None:
        self.options = options

    def before_test(self, runner: Runner) -> None:
        """Accelerate the model, whose weights are loaded by now."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        accelerate(model, **self.options)

    def after_test(self, runner: Runner) -> None:
        """Leave the model as it was."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        decelerate(model)


@HOOKS.register_module()
class TemperatureHook(Hook):
    """Anneal the temperature of a model that draws by Gumbel-softmax.

    Before every training epoch (counted from 0) it sets ``model.tau`` to
    ``start * exp(-decay * epoch)``.

    Args:
        start (float): The temperature of the first epoch, above 0.
        decay (float): The rate per epoch, at least 0.
    """

    def __init__(self, start: float, decay: float) -> None:
        if start <= 0 or decay < 0:
            raise ValueError(
                f'TemperatureHook needs start > 0 and decay >= 0, got {start} and {decay}')
        self.start = start
        self.decay = decay

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch's temperature; derived from the epoch, so that resuming keeps it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, 'tau'):
            raise AttributeError(
                f'TemperatureHook sets the attribute tau, which {type(model).__name__} lacks: '
                'take the hook out of custom_hooks')
        model.tau = self.start * math.exp(-self.decay * runner.epoch)


def _row(inputs: dict | list | torch.Tensor, index: int) -> dict | list | torch.Tensor:
    """One video of a batch, as a batch: by modality, listed or stacked."""
    if isinstance(inputs, dict):
        return {name: _row(value, index) for name, value in inputs.items()}
    return inputs[index:index + 1]


def _shapes(inputs: dict | list | torch.Tensor) -> tuple:
    """What the cost of a video depends on where the model does not look at the content."""
    if isinstance(inputs, dict):
        return tuple((name, _shapes(value)) for name, value in inputs.items())
    return tuple(tuple(value.shape) for value in inputs)
