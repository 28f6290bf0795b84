"""Order frames as another network does (SCSampler, Korbar et al., ICCV 2019)."""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class PairwiseRankingLoss(nn.Module):
    """Hinge on each pair of a video's frames that the saliency orders unlike the confidence.

    Args:
        margin (float): By how much the better frame's saliency must be greater. With 0, AR-Net's
            choice, equal scores are no error. Defaults to 0.
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, margin: float = 0.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, saliency: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
        """Mean over the pairs of frames, those of equal confidence left out.

        Args:
            saliency (torch.Tensor): (B, N), what is taught.
            confidence (torch.Tensor): (B, N), the heavy network's; no gradient flows into it.

        Returns:
            torch.Tensor: Scalar, 0 if there is no pair.
        """
        first, second = torch.triu_indices(*2 * saliency.shape[1:], 1, device=saliency.device)
        order = (confidence[:, first] - confidence[:, second]).sign().detach()
        hinges = F.margin_ranking_loss(
            saliency[:, first], saliency[:, second], order, margin=self.margin, reduction='none')
        differ = order != 0
        return self.loss_weight * (hinges * differ).sum() / differ.sum().clamp(min=1)
