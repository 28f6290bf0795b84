"""One-step policy gradient over subsets of frames (OCSampler; Lin et al., CVPR 2022, section 3)."""

import torch
from torch import nn

from avgn_mm.registry import MODELS


def subset_log_prob(log_probs: torch.Tensor, subset: torch.Tensor) -> torch.Tensor:
    """Exact log-probability that N draws without replacement give a set, in whatever order.

    That is the sum over all N! orders of the product of p_i / (1 - what was drawn before). The
    last item of a set A is any of its items, and what came before has no order either, so
    P(A) = sum over i in A of P(A \\ i) p_i / (1 - p(A \\ i)): 2^N sets instead of N! orders. It is
    computed on logarithms, and 1 - p(.) as the sum of what is left, so nothing cancels.

    Args:
        log_probs (torch.Tensor): (B, T), normalised logarithms of the first draw's probabilities.
        subset (torch.Tensor): (B, N), indices of N <= T different items.

    Returns:
        torch.Tensor: (B,).
    """
    size = subset.shape[1]
    if size == log_probs.shape[1]:
        return log_probs.sum(dim=1) * 0  # certain; and nothing would be left outside
    chosen = log_probs.gather(1, subset)
    outside = log_probs.scatter(1, subset, -torch.inf).logsumexp(dim=1)
    # Set number n holds item i if bit i of n is set.
    items = torch.arange(size, device=subset.device)
    sets = torch.arange(2**size, device=subset.device)
    holds = (sets[:, None] >> items & 1).bool()
    left = torch.cat((
        outside[:, None, None].expand(-1, len(sets), 1),
        chosen[:, None].masked_fill(holds, -torch.inf)), dim=2).logsumexp(dim=2)
    total = torch.zeros_like(left)
    for n in range(1, size + 1):
        grown = sets[holds.sum(dim=1) == n]
        last = holds[grown].nonzero()[:, 1].view(-1, n)
        before = grown[:, None] - (1 << last)
        orders = total[:, before] + chosen[:, last] - left[:, before]
        total = total.index_copy(1, grown, orders.logsumexp(dim=2))
    return total[:, -1]


def draw_from_segments(num_frames: int, size: int, batch_size: int, device: torch.device
                       ) -> torch.Tensor:
    """Time indices (B, N) of TSN's random set: one frame of each of N even segments of T frames."""
    edges = torch.arange(size + 1, device=device) * num_frames // size
    where = torch.rand(batch_size, size, device=device)
    return edges[:-1] + (where * edges.diff()).long()


@MODELS.register_module()
class SubsetPolicyLoss(nn.Module):
    """REINFORCE with the exact probability of the set that was drawn, and an entropy bonus.

    Args:
        entropy_weight (float): Weight of the bonus at the beginning. Defaults to 0.1.
        loss_weight (float): Defaults to 1.
    """

    def __init__(self, *, entropy_weight: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.entropy_weight = entropy_weight
        self.loss_weight = loss_weight

    def forward(self, log_probs: torch.Tensor, subset: torch.Tensor, advantage: torch.Tensor,
                remaining: float = 1.0) -> dict[str, torch.Tensor]:
        """Compute the losses.

        Args:
            log_probs (torch.Tensor): (B, T), the policy's.
            subset (torch.Tensor): (B, N), the set that was drawn.
            advantage (torch.Tensor): (B,), its reward less the baseline's; no gradient flows.
            remaining (float): Share of the entropy bonus that is left. Defaults to 1.

        Returns:
            dict[str, torch.Tensor]: ``loss_policy`` and ``loss_entropy``.
        """
        policy = -(advantage.detach() * subset_log_prob(log_probs, subset)).mean()
        entropy = -(log_probs.exp() * log_probs).sum(dim=1).mean()
        return dict(loss_policy=self.loss_weight * policy,
                    loss_entropy=-self.loss_weight * self.entropy_weight * remaining * entropy)
