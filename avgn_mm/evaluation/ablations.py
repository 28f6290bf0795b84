"""What a config changes in the one that it builds on, so that the same can be done to other data.

The paper's ablations (section 4.4) and the switches that it does not have are configs of a few
lines over AVGN on ActivityNet (``configs/avgn/ablations``, ``configs/avgn/improvements``).

Where the paper is silent: Table 6's linear classifier of patches is read as L_V's classifier of
single patches, which is linear, applied to the mean of e^L over the k frames.
"""

from collections.abc import Mapping

import torch
from torch import nn


def changed_settings(config: Mapping, base: Mapping) -> dict[str, object]:
    """What a config sets otherwise than its base, as ``--cfg-options`` takes it.

    Args:
        config (Mapping): The config; it may add and replace settings, but not remove any.
        base (Mapping): What it builds on.

    Returns:
        dict[str, object]: For example ``{'model.mask_loss.loss_weight': 0.0}``; no value is a dict,
        which a command line could not say.
    """
    changed = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            below = base.get(key)
            inner = changed_settings(value, below if isinstance(below, Mapping) else {})
            changed |= {f'{key}.{name}': setting for name, setting in inner.items()}
        elif key not in base or value != base[key]:
            changed[key] = value
    return changed


class PatchReadout(nn.Module):
    """Table 6: the patches alone, averaged over the frames, and a linear classifier.

    It takes the place of f_C^AV (``cls_head.classifier``) where ``predict_budgets`` asks for it.

    Args:
        head (nn.Module): A trained ``AVGNHead``.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.fc_local = head.fc_local
        start = head.fc_visual[-1].in_features
        # e^AV is e^G, e^L and the sound, in this order.
        self.local = slice(start, start + head.fc_local[-1].in_features)

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """Logits after 1, 2, ... frames: e^AV (B, n, channels) -> (B, n, C)."""
        local = feats[..., self.local]
        counts = torch.arange(1, local.shape[1] + 1, device=local.device)
        return self.fc_local(local.cumsum(dim=1) / counts[:, None])
