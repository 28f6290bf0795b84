"""FrameExit's gate (Ghodrati et al., CVPR 2021, section 3; sizes of the released model)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class ExitGate(BaseModule):
    """Whether enough was seen, from what is known now and what was known a frame ago.

    Both pass the same layers (1x1 convolutions on features without extent, that is linear ones)
    with BN and ReLU; one linear layer reads the two results.

    Args:
        in_channels (int): H, channels of the pooled features.
        hidden_channels (Sequence[int]): Widths of the shared layers. Defaults to (128, 64).
    """

    def __init__(self, *, in_channels: int, hidden_channels: Sequence[int] = (128, 64)) -> None:
        super().__init__()
        widths = (in_channels, *hidden_channels)
        self.shared = nn.Sequential(*(
            layer for wide, narrow in zip(widths, widths[1:])
            for layer in (nn.Linear(wide, narrow), nn.BatchNorm1d(narrow), nn.ReLU())))
        self.exit = nn.Linear(2 * widths[-1], 1)

    def forward(self, pooled: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Decide for B videos.

        Args:
            pooled (torch.Tensor): z_t (B, H), the maximum over the first t frames' features.
            previous (torch.Tensor): z_{t-1} (B, H).

        Returns:
            torch.Tensor: (B,), the logit of "exit": above 0 the video is finished.
        """
        both = torch.cat((self.shared(pooled), self.shared(previous)), dim=1)
        return self.exit(both).squeeze(1)
