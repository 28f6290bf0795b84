"""Pictures of what a model looked at, for MMEngine's visualization backends."""

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer
from mmengine.dist import master_only

from avgn_mm.registry import VISUALIZERS

from .glance_figure import glance_image


@VISUALIZERS.register_module()
class GlanceVisualizer(ActionVisualizer):
    """MMAction2's visualizer; a video's packed inputs become one picture of what was looked at.

    ``visualizer = dict(type='GlanceVisualizer', vis_backends=[dict(type='LocalVisBackend')])``

    Names of classes are those of the dataset: ``metainfo=dict(classes='.../classes.txt')``.
    """

    @master_only
    def add_datasample(self,
                       name: str,
                       video: dict | torch.Tensor | np.ndarray | list | str,
                       data_sample: ActionDataSample | None = None,
                       *args,
                       step: int = 0,
                       **kwargs) -> np.ndarray:
        """Draw a video and hand the picture to all backends.

        Args:
            name (str): Of the picture; no path.
            video (dict | torch.Tensor): ``imgs`` (T, 3, H, W) uint8 and, if there is sound,
                ``audios`` (T, 1, 96, 64), as the test pipeline gives them; or the frames alone.
                Anything else is drawn by MMAction2's visualizer, which takes ``args`` and
                ``kwargs``.
            data_sample (ActionDataSample, optional): With a prediction and ``frame_times``.
            step (int): Of training.

        Returns:
            np.ndarray: (H, W, 3) uint8 RGB.

        Raises:
            ValueError: If the inputs are not frames or there are no frame times.
        """
        if not isinstance(video, (dict, torch.Tensor)):
            return super().add_datasample(name, video, data_sample, *args, step=step, **kwargs)
        inputs = video if isinstance(video, dict) else dict(imgs=video)
        if inputs['imgs'].ndim != 4:
            raise ValueError('GlanceVisualizer draws frames (T, 3, H, W), got '
                             f'{tuple(inputs["imgs"].shape)}')
        if 'frame_times' not in data_sample:
            raise ValueError(
                f"{name} has no frame_times: add 'frame_times' and 'duration_seconds' to the "
                'meta_keys of PackActionInputs')
        names = (self.dataset_meta or {}).get('classes')
        if names is None:
            names = [f'class {i}' for i in range(len(data_sample.pred_score))]
        picture = glance_image(inputs, data_sample.cpu(), names)
        self.add_image(name, picture, step)
        return picture
