"""Teach pi on f_G's maps instead of through the crop. Not in the paper: a switch, off by default.

From Uni-AdaFocus (Wang et al., TPAMI 2025): the gradient of the crop's pixels is noise where
textures are fine; that of f_G's smooth maps, interpolated at the patch, is not.
"""

from collections.abc import Callable

import torch
from torch import nn

from avgn_mm.models.layers import pool_patches
from avgn_mm.registry import MODELS


@MODELS.register_module()
class PatchSurrogateLoss(nn.Module):
    """Cross-entropy of a video from what its patches cover of f_G's maps.

    Args:
        in_channels (int): D_G.
        num_classes (int): C.
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, *, in_channels: int, num_classes: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, num_classes)
        self.loss_weight = loss_weight

    def forward(self, maps: torch.Tensor, actions: torch.Tensor, patch_size: int, image_size: int,
                criterion: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Average over patch and time, classify by a linear layer of its own.

        Args:
            maps (torch.Tensor): e^G (B, T, D_G, H_G, W_G); no gradient flows into them.
            actions (torch.Tensor): (B, T, 2), pi's.
            patch_size (int): P, in pixels of the frames.
            image_size (int): Width of the frames.
            criterion (Callable): From logits (B, 1, C) to the cross-entropy.
        """
        feats = pool_patches(maps.detach(), actions, patch_size, image_size)
        return self.loss_weight * criterion(self.fc(feats.mean(dim=1, keepdim=True)))
