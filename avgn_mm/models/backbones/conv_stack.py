"""A plain stack of convolutions: the encoders of models that train on two CPU cores."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmengine.model import Sequential

from avgn_mm.registry import MODELS


@MODELS.register_module()
class ConvStack(Sequential):
    """3x3 conv, BN, ReLU, repeated; each layer with its own width and stride.

    Args:
        channels (Sequence[int]): Width of each layer; the last one is the output's.
        strides (Sequence[int]): Stride of each layer.
        in_channels (int): 3 for frames, 1 for log-mel windows. Defaults to 3.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')``
            to begin with another model's weights; Kaiming's by default.

    Raises:
        ValueError: If ``channels`` and ``strides`` differ in length.
    """

    def __init__(self,
                 *,
                 channels: Sequence[int],
                 strides: Sequence[int],
                 in_channels: int = 3,
                 init_cfg: dict | None = None) -> None:
        if len(channels) != len(strides):
            raise ValueError('channels and strides need one entry a layer, '
                             f'got {len(channels)} and {len(strides)}')
        widths = (in_channels, *channels)
        super().__init__(
            *(ConvModule(
                widths[i], widths[i + 1], 3, stride=stride, padding=1, norm_cfg=dict(type='BN'))
              for i, stride in enumerate(strides)),
            init_cfg=init_cfg or [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', layer='BatchNorm2d', val=1.),
            ])
        # The layout of the weights decides that of all maps; this one is a quarter faster on CPUs
        # than PyTorch's default, for layers as thin as these.
        self.to(memory_format=torch.channels_last)
