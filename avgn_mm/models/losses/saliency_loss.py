"""The saliency loss L_s (AVGN section 3.4, eq. 11 and 12)."""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS


def saliency_target(frame_logits: torch.Tensor) -> torch.Tensor:
    """Pseudo label tilde s: each frame's confidence over the most confident frame's (eq. 12).

    Args:
        frame_logits (torch.Tensor): (B, T, C), the classifier's logits for each frame by itself
            (eq. 11).

    Returns:
        torch.Tensor: (B, T) in (0, 1], 1 for the most confident frame; detached.
    """
    confidence = frame_logits.detach().softmax(dim=-1).amax(dim=-1)
    return confidence / confidence.amax(dim=1, keepdim=True)


@MODELS.register_module()
class SaliencyLoss(nn.Module):
    """L1 between the predicted saliency and the classifier's own confidence.

    Args:
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, saliency: torch.Tensor, frame_logits: torch.Tensor) -> torch.Tensor:
        """Compute L_s from the saliency (B, T) and the frames' own logits (B, T, C)."""
        return self.loss_weight * F.l1_loss(saliency, saliency_target(frame_logits))
