"""The small encoders of models that train on two CPU cores."""

import pytest
import torch

from avgn_mm.models.backbones import ConvStack


def test_shapes():
    stack = ConvStack(channels=(4, 8, 6), strides=(2, 1, 4), in_channels=1)
    assert stack(torch.randn(2, 1, 96, 64)).shape == (2, 6, 12, 8)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='one entry a layer, got 2 and 3'):
        ConvStack(channels=(4, 8), strides=(2, 2, 2))
