"""f_C, the classifier with a running maximum (AVGN section 3.3, eq. 8; after FrameExit)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class PoolingClassifier(BaseModule):
    """Embed each frame, take the running maximum over frames, classify after each frame.

    Each step has a linear layer of its own (AdaFocusV2): what two frames tell looks different from
    what ten tell.

    Args:
        in_channels (int): Channels of a frame's features.
        num_classes (int): C.
        num_frames (int): T, the number of steps.
        hidden_channels (int): H. Defaults to 4096.
        dropout_ratio (float): Before each step's linear layer. Defaults to 0.2.
    """

    def __init__(self,
                 *,
                 in_channels: int,
                 num_classes: int,
                 num_frames: int,
                 hidden_channels: int = 4096,
                 dropout_ratio: float = 0.2) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, hidden_channels)
        self.norm = nn.BatchNorm1d(hidden_channels)
        self.dropout = nn.Dropout(dropout_ratio)
        self.steps = nn.ModuleList(
            nn.Linear(hidden_channels, num_classes) for _ in range(num_frames))

    def embed(self, feats: torch.Tensor) -> torch.Tensor:
        """Embed frames by themselves: (B, N, in_channels) -> (B, N, H), not negative."""
        return self.norm(self.fc(feats).flatten(0, 1)).relu().unflatten(0, feats.shape[:2])

    def classify(self, pooled: torch.Tensor, first_step: int = 0) -> torch.Tensor:
        """Classify with the linear layers of steps ``first_step``, ``first_step + 1``, ...

        Args:
            pooled (torch.Tensor): (B, N, H), what is known after each of N successive steps.
            first_step (int): Step of the first of them, from 0. Defaults to 0.

        Returns:
            torch.Tensor: Logits (B, N, C).
        """
        pooled = self.dropout(pooled)
        return torch.stack([
            step(pooled[:, n])
            for n, step in enumerate(self.steps[first_step:first_step + pooled.shape[1]])
        ], dim=1)

    @torch.no_grad()
    def classify_alone(self, embedded: torch.Tensor) -> torch.Tensor:
        """p'_t (eq. 11): each frame by itself, (B, N, H) -> (B, N, C).

        The first step's layer is the one that is trained on single frames.
        """
        return self.steps[0](embedded)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Classify after each frame: (B, N, in_channels) -> p_1..p_N (B, N, C), N <= T."""
        return self.classify(self.embed(feats).cummax(dim=1).values)
