"""Whether a checkpoint holds all that a model needs."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from avgn_mm.registry import HOOKS


def check_weights(model: nn.Module, checkpoint: dict, filename: str) -> None:
    """Refuse weights with which part of a model would stay random.

    MMEngine loads what fits and says the rest in a warning, which is right for what training begins
    with. Weights that the model has no place for are fine.

    Raises:
        ValueError: If a weight is missing or of another shape, naming it.
    """
    weights = {name.removeprefix('module.'): value
               for name, value in checkpoint.get('state_dict', checkpoint).items()}
    own = {name: value for name, value in model.state_dict().items()
           if not name.endswith('num_batches_tracked')}  # which old checkpoints lack
    missing = [name for name in own if name not in weights]
    if missing:
        raise ValueError(
            f'{filename} lacks {len(missing)} of the {len(own)} weights of {type(model).__name__}, '
            f'{missing[0]} above all: is it of another config, or model.{missing[0].split(".")[0]} '
            'of other settings?')
    for name, value in own.items():
        if weights[name].shape != value.shape:
            raise ValueError(
                f'{filename}: {name} is of shape {tuple(weights[name].shape)}, the model wants '
                f'{tuple(value.shape)}: model.{name.split(".")[0]} (or what its sizes follow from, '
                'as num_classes) was another in training')


@HOOKS.register_module()
class CompleteWeightsHook(Hook):
    """Refuse to test with weights that are not complete; ``tools/test.py`` adds it."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check before they are loaded."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_weights(model, checkpoint, runner._load_from)
