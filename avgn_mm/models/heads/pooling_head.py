"""A head that is a pooling classifier and nothing else (FrameExit, CVPR 2021)."""

import torch

from avgn_mm.registry import MODELS

from .pooling_classifier import PoolingClassifier
from .video_head import VideoHead


@MODELS.register_module()
class PoolingHead(VideoHead):
    """Embed each frame, take the running maximum, classify after each frame.

    Args:
        num_classes (int): C.
        in_channels (int): D, channels of a frame's features.
        num_frames (int): T, the number of steps.
        hidden_channels (int): H. Defaults to 4096.
        dropout_ratio (float): Defaults to 0.2.
        **kwargs: ``loss_cls`` and ``average_clips`` of :class:`VideoHead`.
    """

    def __init__(self, *, num_classes: int, in_channels: int, num_frames: int,
                 hidden_channels: int = 4096, dropout_ratio: float = 0.2, **kwargs) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.classifier = PoolingClassifier(
            in_channels=in_channels, num_classes=num_classes, num_frames=num_frames,
            hidden_channels=hidden_channels, dropout_ratio=dropout_ratio)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Logits after each frame: (B, N, D) -> (B, N, C), N <= T."""
        return self.classifier(feats)
