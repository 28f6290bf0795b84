"""Pictures of validation videos while a model learns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmaction.structures import ActionDataSample
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from avgn_mm.registry import HOOKS


@HOOKS.register_module()
class GlanceVisualizationHook(Hook):
    """Draw what the model looked at in some validation videos, the same ones each time.

    The videos are spread evenly over the validation set, so that a list that is sorted by class
    shows several. MMAction2's ``VisualizationHook`` cannot draw audio-visual inputs.

    ``default_hooks=dict(glances=dict(type='GlanceVisualizationHook'))``

    Args:
        num_videos (int): How many, at least 1. Defaults to 4.
        interval (int): Draw in each how many-th validation, at least 1. Defaults to 1.
    """

    def __init__(self, num_videos: int = 4, interval: int = 1) -> None:
        if num_videos < 1 or interval < 1:
            raise ValueError('GlanceVisualizationHook needs num_videos and interval of at least 1, '
                             f'got {num_videos} and {interval}')
        self.num_videos = num_videos
        self.interval = interval
        self._validations = 0

    def before_run(self, runner: Runner) -> None:
        """Find out early that nothing could be drawn.

        Raises:
            TypeError: If the runner's visualizer cannot.
        """
        # Only those who draw need matplotlib and what else belongs to pictures.
        from avgn_mm.visualization import GlanceVisualizer
        if not isinstance(runner.visualizer, GlanceVisualizer):
            raise TypeError("GlanceVisualizationHook needs visualizer=dict(type='GlanceVisualizer'"
                            f', ...), got {type(runner.visualizer).__name__}')

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose the videos. With several processes the first one draws, its own share."""
        total = -(-len(runner.val_dataloader.dataset) // get_world_size())
        drawn = self._validations % self.interval == 0
        self._wanted = set(np.linspace(0, total - 1, self.num_videos).astype(int)) if drawn else ()
        self._validations += 1
        self._seen = 0

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                       outputs: Sequence[ActionDataSample]) -> None:
        """Draw those of a batch that were chosen."""
        # The steps at which the validation's numbers are logged.
        step = runner.epoch if runner.log_processor.by_epoch else runner.iter
        for i, sample in enumerate(outputs):
            number = self._seen + i
            if number not in self._wanted:
                continue
            inputs = data_batch['inputs']
            video = ({name: values[i] for name, values in inputs.items()}
                     if isinstance(inputs, dict) else inputs[i])
            stem = Path(sample.get('filename', '')).stem
            # Whichever loop was built last has set its own.
            runner.visualizer.dataset_meta = runner.val_dataloader.dataset.metainfo
            runner.visualizer.add_datasample(f'val{number}_{stem}', video, sample, step=step)
        self._seen += len(outputs)
