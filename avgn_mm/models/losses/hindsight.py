"""Hindsight regression for the patch policy. Not in the paper: a switch, off by default.

The differentiable crop tells pi only how to move a patch a little; with encoders from scratch that
can leave it where it started. The two passes over learned and random patches (AdaFocusV2) hold
more: where the random patch gave the true class more confidence, pi should have looked there.
"""

import torch
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class HindsightLoss(nn.Module):
    """Pull the policy's patch toward the random one, where that was the better.

    Args:
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, actions: torch.Tensor, random_actions: torch.Tensor,
                confidence: torch.Tensor, random_confidence: torch.Tensor) -> torch.Tensor:
        """Compute the mean squared distance, weighted by the confidence gained.

        Args:
            actions (torch.Tensor): (B, T, 2), pi's.
            random_actions (torch.Tensor): (B, T, 2), those of the second pass.
            confidence (torch.Tensor): (B, T), probability of the true class from the frame with
                pi's patch alone; no gradient flows into it.
            random_confidence (torch.Tensor): (B, T), the same with the random patch.
        """
        gain = (random_confidence - confidence).clamp(min=0).detach()
        distance = (actions - random_actions).square().sum(dim=-1)
        return self.loss_weight * (gain * distance).mean()
