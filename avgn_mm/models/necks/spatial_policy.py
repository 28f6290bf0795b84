"""Where to look in each glanced frame: Uni-AdaFocus' spatial policy (Wang et al., TPAMI 2025)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class SpatialPolicy(BaseModule):
    """Convolutions over time and space: 1 x 1 x 1, twice 3 x 3 x 3, 1 x H_G x W_G; sigmoid.

    Unlike AVGN's recurrent ``PatchPolicy`` it sees the frames before and after.

    Args:
        in_channels (int): D_G, channels of the maps.
        feature_size (int): H_G = W_G. Defaults to 7.
        hidden_channels (int): Defaults to 128.
    """

    def __init__(self, *, in_channels: int, feature_size: int = 7,
                 hidden_channels: int = 128) -> None:
        super().__init__()
        self.feature_size = feature_size

        def layer(channels: int, size: int) -> list[nn.Module]:
            return [
                nn.Conv3d(channels, hidden_channels, size, padding=size // 2, bias=False),
                nn.BatchNorm3d(hidden_channels), nn.ReLU(inplace=True)]

        self.layers = nn.Sequential(
            *layer(in_channels, 1), *layer(hidden_channels, 3), *layer(hidden_channels, 3),
            nn.Conv3d(hidden_channels, 2, (1, feature_size, feature_size), bias=False),
            nn.Sigmoid())

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Choose a patch for each step.

        Args:
            maps (torch.Tensor): (B, G, D_G, H_G, W_G), in time order.

        Returns:
            torch.Tensor: (B, G, 2) in (0, 1), order (y, x); see
            :func:`~avgn_mm.models.layers.patch_boxes`.

        Raises:
            ValueError: If the maps are not ``feature_size`` wide and high.
        """
        if maps.shape[-2:] != (self.feature_size, self.feature_size):
            raise ValueError(f'spatial_policy.feature_size={self.feature_size}, but the maps of '
                             f'f_G are {maps.shape[-2]} x {maps.shape[-1]}')
        return self.layers(maps.transpose(1, 2)).flatten(2).transpose(1, 2)
