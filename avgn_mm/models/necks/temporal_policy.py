"""Which frames deserve a close look: Uni-AdaFocus' temporal policy (Wang et al., TPAMI 2025).

The policy gives each glanced step a weight; the close looks are drawn from the weights by their
inverse cumulative distribution, so the drawing itself has no gradient. It learns by what it would
make of features that are there already: :func:`inclusion_shares` says what part of a draw each
step gets, and a prediction from features that are averaged by these shares is differentiable.
"""

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class TemporalPolicy(BaseModule):
    """Conv 3, BN, ReLU, twice; conv 1; softmax; all along time.

    Args:
        in_channels (int): D_G, channels of the pooled features.
        hidden_channels (int): Defaults to 64.
    """

    def __init__(self, *, in_channels: int, hidden_channels: int = 64) -> None:
        super().__init__()

        def layer(channels: int) -> list[nn.Module]:
            return [nn.Conv1d(channels, hidden_channels, 3, padding=1, bias=False),
                    nn.BatchNorm1d(hidden_channels), nn.ReLU(inplace=True)]

        # A bias would move all steps alike, which the softmax does not see.
        self.layers = nn.Sequential(*layer(in_channels), *layer(hidden_channels),
                                    nn.Conv1d(hidden_channels, 1, 1, bias=False))

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Log-weights (B, G) of the steps, in time order, from their features (B, G, D_G)."""
        return self.layers(feats.transpose(1, 2)).squeeze(1).log_softmax(dim=1)


def draw_frames(weights: torch.Tensor, num_frames: int, quantiles: torch.Tensor) -> torch.Tensor:
    """Draw distinct frames by the inverse of the cumulative distribution of the weights.

    Step g of G stands for the time from g / G to (g + 1) / G of the video, over which its weight
    is spread evenly. A draw that falls on a frame that is taken goes to the next one; at the
    video's end all draws move back as far as they must. So no frame is looked at twice.

    Args:
        weights (torch.Tensor): (B, G), not negative, each row sums to 1, in time order.
        num_frames (int): N, candidates of a video, in time order.
        quantiles (torch.Tensor): (B, k) or (1, k), in [0, 1), ascending.

    Returns:
        torch.Tensor: (B, k) ascending indices in 0..N-1.

    Raises:
        ValueError: If k is more than N.
    """
    num_steps, num_draws = weights.shape[1], quantiles.shape[1]
    if num_draws > num_frames:
        raise ValueError(f'{num_draws} distinct frames cannot be drawn from {num_frames}')
    # Single precision loses up to a frame of 48.
    weights = weights.detach().double()
    ends = weights.cumsum(dim=1)
    quantiles = quantiles.double().expand(len(weights), -1).contiguous()
    step = torch.searchsorted(ends, quantiles, right=True).clamp(max=num_steps - 1)
    weight = weights.gather(1, step)
    within = (quantiles - ends.gather(1, step) + weight) / weight.clamp(min=1e-12)
    frames = ((step + within.clamp(0, 1)) * (num_frames / num_steps)).long()
    rank = torch.arange(num_draws, device=weights.device)
    frames = (frames - rank).cummax(dim=1).values + rank
    return torch.minimum(frames, num_frames - num_draws + rank)


def inclusion_shares(log_weights: torch.Tensor, num_draws: int, num_samples: int) -> torch.Tensor:
    """Estimate how the draws without replacement are shared out among the steps.

    The i-th draw's probabilities are the weights of the steps that the draws before it left,
    scaled to sum to 1. Averaged over the draws, the exact probabilities given random former draws
    are an unbiased estimate of each step's probability to be among the drawn, over ``num_draws``;
    their gradient, which treats the former draws as given, is far less noisy than a score
    function's. A single draw (``num_draws=1``) is exact, but its best policy puts all weight on
    the one best step.

    Args:
        log_weights (torch.Tensor): (B, G).
        num_draws (int): At most G.
        num_samples (int): Random orders of former draws.

    Returns:
        torch.Tensor: (B, G), each row sums to 1.
    """
    batch_size, num_steps = log_weights.shape
    detached = log_weights.detach()[:, None].expand(-1, num_samples, -1)
    # The largest, second largest, ... of log-weights plus Gumbel noise are such draws.
    noise = -torch.empty_like(detached).exponential_().log()
    rank = (detached + noise).argsort(dim=-1, descending=True).argsort(dim=-1)
    draw = torch.arange(num_draws, device=rank.device)[:, None]
    taken = rank[:, :, None] < draw
    chances = log_weights[:, None, None].masked_fill(taken, float('-inf')).softmax(dim=-1)
    return chances.mean(dim=(1, 2))
