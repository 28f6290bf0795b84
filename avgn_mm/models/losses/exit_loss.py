"""What FrameExit's gates learn from (Ghodrati et al., CVPR 2021, section 3)."""

import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.registry import MODELS


def exit_target(step_losses: torch.Tensor, beta: float) -> torch.Tensor:
    """Pseudo-labels of the gates: exit at t if the loss there is at most beta * exp(t / 2).

    The later, the greater the loss that is accepted: more frames must promise ever more.

    Args:
        step_losses (torch.Tensor): (B, T), each video's loss at t = 1..T.
        beta (float): The greater, the earlier videos exit.

    Returns:
        torch.Tensor: (B, T), 1 for "exit" and 0 for "go on"; detached.
    """
    steps = torch.arange(1, step_losses.shape[1] + 1, device=step_losses.device)
    return (step_losses.detach() <= beta * (steps / 2).exp()).to(step_losses.dtype)


@MODELS.register_module()
class ExitLoss(nn.Module):
    """Binary cross-entropy between the gates and whether the classifier was good enough.

    Args:
        beta (float): See :func:`exit_target`.
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, *, beta: float, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.beta = beta
        self.loss_weight = loss_weight

    def forward(self, gate_logits: torch.Tensor, step_logits: torch.Tensor, labels: torch.Tensor
                ) -> torch.Tensor:
        """Compute the loss of the gates.

        Args:
            gate_logits (torch.Tensor): (B, T - 2), those of the gates after t = 2..T-1.
            step_logits (torch.Tensor): (B, T, C), the classifier's at t = 1..T; no gradient flows
                into them.
            labels (torch.Tensor): (B,) class indices or (B, C) distributions.
        """
        num_steps = step_logits.shape[1]
        losses = F.cross_entropy(step_logits.detach().flatten(0, 1),
                                 labels.repeat_interleave(num_steps, 0), reduction='none')
        target = exit_target(losses.unflatten(0, (-1, num_steps)), self.beta)[:, 1:-1]
        return self.loss_weight * F.binary_cross_entropy_with_logits(gate_logits, target)
