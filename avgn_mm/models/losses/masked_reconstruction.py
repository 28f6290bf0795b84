"""The masked visual token reconstruction loss L_mask (AVGN section 3.4, Fig. 4)."""

import torch
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class MaskedReconstructionLoss(nn.Module):
    """Mean squared error between reconstructed and true visual tokens of the masked frames.

    The target is detached, as in ActionMAE (Woo et al., AAAI 2023): otherwise the embedding could
    make the task easy by becoming constant.

    Args:
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, reconstruction: torch.Tensor, tokens: torch.Tensor,
                num_glances: int) -> torch.Tensor:
        """Compute L_mask; 0 when no frame is masked.

        Args:
            reconstruction (torch.Tensor): (B, T, D_AV), hat e^G from the mask encoder.
            tokens (torch.Tensor): (B, T, D_AV), tilde e^G before masking.
            num_glances (int): T_G; frames from T_G on were masked.
        """
        error = (reconstruction - tokens.detach()).square().mean(dim=-1)
        masked = torch.arange(error.shape[1], device=error.device) >= num_glances
        # A product, not an index: with T_G = T the mask encoder stays in the graph, which
        # distributed training needs.
        num_masked = max(len(error) * (error.shape[1] - num_glances), 1)
        return self.loss_weight * (error * masked).sum() / num_masked
