"""The saliency loss L_s (AVGN section 3.4, eq. 11 and 12), and a listwise one in its place."""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS


def frame_confidence(frame_logits: torch.Tensor) -> torch.Tensor:
    """Greatest probability (B, T) that a frame's own logits p'_t (B, T, C) give any class."""
    return frame_logits.softmax(dim=-1).amax(dim=-1)


def saliency_target(confidence: torch.Tensor) -> torch.Tensor:
    """Pseudo label tilde s: each frame's confidence over the most confident frame's (eq. 12).

    Args:
        confidence (torch.Tensor): (B, T), positive, from each frame by itself (eq. 11).

    Returns:
        torch.Tensor: (B, T) in (0, 1], 1 for the most confident frame; detached.
    """
    confidence = confidence.detach()
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

    def forward(self, saliency: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
        """Compute L_s from the saliency and the frames' confidence, each (B, T)."""
        return self.loss_weight * F.l1_loss(saliency, saliency_target(confidence))


@MODELS.register_module()
class ListwiseSaliencyLoss(nn.Module):
    """ListNet (Cao et al., ICML 2007) on the saliency: not the paper's, in place of its L1.

    Both the saliency and its target of eq. 12 become distributions over the frames, softmax(s /
    temperature), of which the KL divergence is taken. So the best frames, which are picked, count
    most, and how salient the others are counts little. The saliency keeps the target's scale,
    which L_ord's draw relies on.

    Args:
        temperature (float): The smaller, the more do the best frames alone count. Defaults to 0.1.
        loss_weight (float): Defaults to 1.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, *, temperature: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be positive')
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, saliency: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
        """Compute the mean over videos from saliency and confidence, each (B, T)."""
        predicted = (saliency / self.temperature).log_softmax(dim=1)
        wanted = (saliency_target(confidence) / self.temperature).log_softmax(dim=1)
        return self.loss_weight * F.kl_div(
            predicted, wanted, reduction='batchmean', log_target=True)
