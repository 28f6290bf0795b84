"""The ordered audio-visual logits loss L_ord (AVGN section 3.4, eq. 13)."""

from collections.abc import Callable

import torch
from torch import nn

from avgn_mm.registry import MODELS


def sample_ordered_subset(saliency: torch.Tensor, num_kept: int, tau: float = 1.0
                          ) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw k frames without replacement by their saliency, most salient first.

    The k largest of s / tau plus Gumbel noise are such a draw (Gumbel-top-k). The mask is hard in
    the forward pass and has the gradient of the softmax (straight-through, as Gumbel-Softmax).

    Args:
        saliency (torch.Tensor): (B, T).
        num_kept (int): k.
        tau (float): Temperature; the smaller, the closer the draw to the plain top k.

    Returns:
        tuple[torch.Tensor, torch.Tensor]: The frames' indices in the drawn order (B, T), and the
        mask in that order (B, T): 1 for the first k, 0 for the others.
    """
    noise = -torch.empty_like(saliency).exponential_().log()
    perturbed = saliency / tau + noise
    order = perturbed.argsort(dim=1, descending=True)
    soft = perturbed.softmax(dim=1).gather(1, order)
    hard = (torch.arange(saliency.shape[1], device=saliency.device) < num_kept).to(soft.dtype)
    return order, hard + soft - soft.detach()


@MODELS.register_module()
class OrderedLogitsLoss(nn.Module):
    """Cross-entropy of the prediction from a random number of frames, drawn by saliency.

    The paper says neither how many frames are drawn nor which output is scored. Here k is uniform
    in 1..T for each batch, and the classifier's output after k frames is scored, which is the one
    that inference with k frames uses.

    Args:
        tau (float): Temperature of the draw. Defaults to 1.
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, tau: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.tau = tau
        self.loss_weight = loss_weight

    def forward(self, classifier: nn.Module, embedded: torch.Tensor, saliency: torch.Tensor,
                criterion: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Compute L_ord.

        Args:
            classifier (nn.Module): f_C^AV, a ``PoolingClassifier``.
            embedded (torch.Tensor): (B, T, H), the classifier's non-negative frame features.
                Zero is neutral under its running max, so masking here drops a frame.
            saliency (torch.Tensor): (B, T), in the frames' order of ``embedded``.
            criterion (Callable): From logits (B, 1, C) to the cross-entropy.
        """
        num_kept = int(torch.randint(1, saliency.shape[1] + 1, ()))
        order, mask = sample_ordered_subset(saliency, num_kept, self.tau)
        index = order.unsqueeze(-1).expand_as(embedded)
        kept = (embedded.gather(1, index) * mask.unsqueeze(-1))
        logits = classifier.classify(kept.amax(dim=1, keepdim=True), first_step=num_kept - 1)
        return self.loss_weight * criterion(logits)
