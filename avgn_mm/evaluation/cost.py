"""Exact counts of multiply-accumulates, which the papers of this field print as "GFLOPs".

The usual counters report nothing for attention and transformer layers in eval mode, because
PyTorch runs them as one fused operator there; with its fast path off and plain scaled
dot-product attention, ``FlopCounterMode`` sees every product. The same goes for the recurrent
layers of cuDNN and oneDNN. Convolutions, linear layers, attention and recurrent layers count;
normalisation, activations and interpolation do not.
"""

import warnings
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_macs(function: Callable[[], object]) -> int:
    """Run a function and count its multiply-accumulates.

    Args:
        function (Callable): What to run; gradients are off.

    Returns:
        int: MACs, those of data-dependent branches that were really taken included.
    """
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            # Of oneDNN's settings, which are put back as they were.
            warnings.filterwarnings('ignore', message='TF32 acceleration')
            with (torch.no_grad(), sdpa_kernel(SDPBackend.MATH),
                  torch.backends.cudnn.flags(enabled=False),
                  torch.backends.mkldnn.flags(enabled=False),
                  # What is compiled hides its operators.
                  torch.compiler.set_stance('force_eager'),
                  FlopCounterMode(display=False) as counter):
                function()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    # FlopCounterMode counts a multiply-accumulate as two operations.
    return counter.get_total_flops() // 2


def count_affine(function: Callable[[int], object]) -> tuple[int, int]:
    """Split a cost that grows evenly with the number of uses into its two parts.

    Args:
        function (Callable[[int], object]): Runs a part of a model for n uses, n >= 1.

    Returns:
        tuple[int, int]: MACs that are paid once, and MACs of each use.
    """
    one, two = (count_macs(lambda: function(n)) for n in (1, 2))  # noqa: B023
    return 2 * one - two, two - one
