"""The small encoders of models that train on two CPU cores."""

import pytest
import torch

from avgn_mm.models.backbones import ConvStack


def test_shapes():
    stack = ConvStack(channels=(4, 8, 6), strides=(2, 1, 4), in_channels=1)
    assert stack(torch.randn(2, 1, 96, 64)).shape == (2, 6, 12, 8)


def test_begins_with_the_weights_of_another_model(tmp_path):
    sizes = dict(channels=(4, 8), strides=(2, 2))
    other = ConvStack(**sizes)
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in other.state_dict().items()}), path)
    stack = ConvStack(**sizes, init_cfg=dict(
        type='Pretrained', checkpoint=str(path), prefix='backbone.'))
    stack.init_weights()
    for name, value in other.state_dict().items():
        assert torch.equal(stack.state_dict()[name], value), name


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='one entry a layer, got 2 and 3'):
        ConvStack(channels=(4, 8), strides=(2, 2, 2))
