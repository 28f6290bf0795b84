"""Classify each frame by itself; a video's logits are the mean over its frames, as in TSN."""

import torch
from torch import nn

from avgn_mm.registry import MODELS

from .video_head import VideoHead


@MODELS.register_module()
class FrameHead(VideoHead):
    """Dropout and a linear layer on a frame's pooled features.

    Args:
        num_classes (int): C.
        in_channels (int): D.
        dropout_ratio (float): Defaults to 0.5.
        **kwargs: ``loss_cls`` and ``average_clips`` of :class:`VideoHead`.
    """

    def __init__(self, *, num_classes: int, in_channels: int, dropout_ratio: float = 0.5,
                 **kwargs) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Logits of each frame: (..., D) -> (..., C)."""
        return self.fc_cls(self.dropout(feats))
