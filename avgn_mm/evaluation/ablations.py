"""The paper's ablations (section 4.4, Tables 4 to 7): what each row changes, and what it came to.

Each ablation is a config in ``configs/avgn/ablations``, AVGN on ActivityNet with something changed.
:func:`changed_settings` reads off what, so that the same can be done to AVGN on other data.

Where the paper is silent: Table 6's linear classifier of patches is read as L_V's classifier of
single patches, which is linear, applied to the mean of e^L over the k frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

Figures = Mapping[int, float]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: What to call it on the command line.
        ablation: The config in ``configs/avgn/ablations``; None is AVGN itself.
        titles: The row's first columns, as the paper prints them.
        paper: By k, the paper's mAP on ActivityNet, in percent.
        paper_gflops: By k, where the table states it.
    """
    name: str
    ablation: str | None
    titles: tuple[str, ...]
    paper: Figures
    paper_gflops: Figures | None = None


@dataclass(frozen=True)
class Table:
    """A table of ablations.

    Attributes:
        caption: The paper's.
        header: Of the rows' first columns.
        rows: In the paper's order.
        patches_alone: Whether the patches alone are classified (:class:`PatchReadout`).
    """
    caption: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    patches_alone: bool = False


def _parts(number: int, ablation: str | None, has: str, *paper: float) -> Row:
    """A row of Table 4."""
    return Row(f'exp{number}', ablation, (str(number), *has),
               dict(zip((1, 4, 6, 8, 12, 16), paper)))


def _losses(name: str, has: str, *paper: float) -> Row:
    """A row of Table 7."""
    ablation = None if name == 'all' else f'table7_{name.replace("-", "_")}'
    return Row(name, ablation, tuple(has), dict(zip((1, 4, 8, 16), paper)))


def _places(name: str, ablation: str | None, title: str, *paper: float) -> Row:
    """A row of Table 6."""
    return Row(name, ablation, (title, ), dict(zip((1, 4, 8, 12, 16), paper)))


TABLES = {
    4: Table('Ablation study on AVGN key components', (
        'Exp.', 'Audio', 'AV-TeST', 'AESPA', 'psi'), (
        _parts(1, 'table4_exp1', '✗✗✗✗', 46.6, 63.6, 69.0, 72.7, 75.6, 76.9),
        _parts(2, 'table4_exp2', '✗✓✗✗', 50.1, 70.4, 73.0, 74.5, 76.0, 76.9),
        _parts(3, 'table4_exp3', '✓✗✗✗', 48.6, 65.2, 70.9, 74.4, 77.1, 78.4),
        _parts(4, 'table4_exp4', '✓✓✗✗', 51.5, 70.3, 73.9, 76.0, 78.1, 78.4),
        _parts(5, 'table4_exp5', '✓✓✓✗', 52.1, 71.5, 75.1, 76.7, 79.0, 79.7),
        _parts(6, None, '✓✓✓✓', 57.7, 75.4, 77.8, 78.8, 79.9, 80.2))),
    5: Table('Ablation study on temporal glance', ('Temporal sampling', ), (
        Row('uniform', 'table5_uniform', ('Uniform', ), {4: 67.3, 8: 76.6, 12: 78.8},
            {4: 7.4, 8: 14.2, 12: 20.9}),
        Row('av-test', None, ('AV-TeST', ), {4: 75.4, 8: 78.8, 12: 79.9},
            {4: 10.5, 8: 16.0, 12: 22.0}))),
    6: Table('Ablation study on spatial glance', ('Spatial sampling', ), (
        _places('centre-crop', 'table6_centre_crop', 'Centre crop', 44.2, 59.3, 67.6, 70.0, 71.4),
        _places('policy', 'table6_policy', 'Patch network (pi)', 48.0, 62.2, 69.8, 71.9, 73.6),
        _places('aespa', None, 'AESPA + pi', 48.6, 62.9, 70.4, 72.8, 74.1)),
        patches_alone=True),
    7: Table('Ablation study on training losses', ('L_V', 'L_A', 'L_mask', 'L_ord'), (
        _losses('no-visual', '✗✓✓✓', 56.9, 73.0, 76.5, 78.4),
        _losses('no-audio', '✓✗✓✓', 54.6, 73.0, 77.2, 78.6),
        _losses('no-mask', '✓✓✗✓', 55.0, 73.7, 77.6, 79.5),
        _losses('no-ordered', '✓✓✓✗', 57.0, 75.2, 78.8, 80.2),
        _losses('all', '✓✓✓✓', 57.7, 75.4, 78.8, 80.2))),
}


def changed_settings(config: Mapping, base: Mapping) -> dict[str, object]:
    """What a config sets otherwise than its base, as ``--cfg-options`` takes it.

    Args:
        config (Mapping): The config; it may add and replace settings, but not remove any.
        base (Mapping): What it builds on.

    Returns:
        dict[str, object]: For example ``{'model.mask_loss.loss_weight': 0.0}``.
    """
    changed = {}
    for key, value in config.items():
        if key in base and isinstance(value, Mapping) and isinstance(base[key], Mapping):
            inner = changed_settings(value, base[key])
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
