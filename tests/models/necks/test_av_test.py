"""AV-TeST (eq. 2, 3 and 14)."""

import math

import pytest
import torch
from torch import nn

from avgn_mm.models.necks import AVTeST
from avgn_mm.models.necks.av_test import sinusoidal_positions


def av_test(**kwargs) -> AVTeST:
    config = dict(visual_channels=6, audio_channels=5, num_frames=4, embed_dims=8, num_heads=2,
                  feedforward_channels=16)
    return AVTeST(**{**config, **kwargs}).eval()


def changed_at(model, frame: int, num_glances: int) -> torch.Tensor:
    """By how much each saliency changes with one frame's visual feature."""
    visual, audio = torch.randn(1, 4, 6), torch.randn(1, 4, 5)
    other = visual.clone()
    other[0, frame] += 1
    with torch.no_grad():
        before, after = (model(v, audio, num_glances)[0] for v in (visual, other))
    return (before - after).abs().squeeze(0)


def test_shapes_and_range():
    model = av_test()
    saliency, features, tokens = model(torch.randn(3, 2, 6) * 10, torch.randn(3, 4, 5) * 10)
    assert saliency.shape == (3, 4)
    assert features.shape == (3, 4, 16)
    assert tokens.shape == (3, 2, 8)
    assert ((saliency > 0) & (saliency < 1)).all()


def test_glanced_frames_matter_and_masked_ones_do_not():
    model = av_test()
    for frame in (0, 1):
        assert (changed_at(model, frame, num_glances=2) > 1e-6).all()
    for frame in (2, 3):
        assert changed_at(model, frame, num_glances=2).max() == 0


def test_hiding_frames_equals_not_encoding_them():
    """Training hides the last T - T_G of T encoded frames, testing encodes T_G."""
    model = av_test()
    visual, audio = torch.randn(2, 4, 6), torch.randn(2, 4, 5)
    hidden, _, tokens = model(visual, audio, 3)
    absent, _, _ = model(visual[:, :3], audio)
    torch.testing.assert_close(hidden, absent)
    # L_mask's targets are the tokens before masking.
    torch.testing.assert_close(tokens, model.visual_embed(visual))


def test_audio_of_masked_frames_matters():
    model = av_test()
    visual, audio = torch.randn(1, 1, 6), torch.randn(1, 4, 5)
    other = audio.clone()
    other[0, 3] += 1
    assert ((model(visual, audio)[0] - model(visual, other)[0]).abs() > 1e-6).all()


def test_hand_computed_score():
    """Tokens [e^G, e^A] or [M, e^A], and the sigmoid of FC_s, with the transformer taken out."""
    model = av_test(visual_channels=2, audio_channels=2, num_frames=2, embed_dims=2, num_heads=1)
    model.encoder = nn.Identity()
    with torch.no_grad():
        model.positions.zero_()
        for layer in (model.visual_embed, model.audio_embed):
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
        model.mask_token.copy_(torch.tensor([7., -7.]))
        model.score.weight.copy_(torch.tensor([[1., 10., 100., 1000.]]) / 1000)
        model.score.bias.fill_(0.5)
    visual = torch.tensor([[[1., 2.]]])
    audio = torch.tensor([[[3., 4.], [5., 6.]]])
    saliency, features, _ = model(visual, audio)
    assert features.tolist() == [[[1, 2, 3, 4], [7, -7, 5, 6]]]
    # 0.001 * 1 + 0.01 * 2 + 0.1 * 3 + 4 + 0.5 and 0.007 - 0.07 + 0.5 + 6 + 0.5
    expected = [1 / (1 + math.exp(-4.821)), 1 / (1 + math.exp(-6.937))]
    assert saliency[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_positions_are_those_of_the_true_times():
    model = av_test(embed_dims=2, num_heads=1)
    # T = 4 is looked at in the order 1, 0, 3, 2; four channels have the rates 1 and 0.01.
    expected = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)]
                for t in (1, 0, 3, 2)]
    torch.testing.assert_close(model.positions, torch.tensor(expected))
    torch.testing.assert_close(
        sinusoidal_positions(torch.tensor([0, 5]), 2),
        torch.tensor([[0., 1.], [math.sin(5), math.cos(5)]]))


@torch.no_grad()
def test_time_is_in_the_positions_alone():
    model = av_test()
    visual, audio = torch.randn(1, 4, 6), torch.randn(1, 4, 5)
    saliency = model(visual, audio)[0]
    moved = torch.tensor([2, 0, 3, 1])
    unplaced = model(visual[:, moved], audio[:, moved])[0]
    assert (unplaced - saliency[:, moved]).abs().max() > 1e-4
    model.positions.copy_(model.positions[moved])
    torch.testing.assert_close(model(visual[:, moved], audio[:, moved])[0], saliency[:, moved])


def test_without_audio():
    model = av_test(audio_channels=None)
    saliency, features, _ = model(torch.randn(2, 3, 6), None)
    assert saliency.shape == (2, 4)
    assert features.shape == (2, 4, 8)


def test_mask_encoder_rebuilds_visual_tokens():
    model = av_test()
    _, features, tokens = model(torch.randn(2, 4, 6), torch.randn(2, 4, 5), 1)
    assert model.mask_encoder(features).shape == tokens.shape
