"""Small k learn from k = T. Not in the paper: a switch, off by default.

In-place distillation (Yu and Huang, Universally Slimmable Networks, ICCV 2019): the prediction
with the greatest budget, which training computes anyway, is the target of those with smaller ones.
"""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class BudgetDistillationLoss(nn.Module):
    """KL divergence of the predictions p_t, t < T, from p_T.

    Args:
        temperature (float): Divides the logits; the loss is scaled by its square, which keeps the
            gradient's size (Hinton et al., 2015). Defaults to 1.
        loss_weight (float): Defaults to 1.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(self, *, temperature: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be positive')
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, step_logits: torch.Tensor) -> torch.Tensor:
        """Mean over videos and steps; 0 with a single step.

        Args:
            step_logits (torch.Tensor): (B, T, C), after 1..T frames; no gradient flows into the
                last one's.
        """
        log_probs = (step_logits / self.temperature).log_softmax(dim=-1)
        student, teacher = log_probs[:, :-1], log_probs[:, -1:].detach()
        divergence = F.kl_div(student, teacher.expand_as(student), reduction='sum', log_target=True)
        steps = max(student.shape[0] * student.shape[1], 1)
        return self.loss_weight * self.temperature**2 * divergence / steps
