"""psi, the audio fusion transformer (section 3.3)."""

import math

import pytest
import torch
from torch import nn

from avgn_mm.models.necks import AudioFusion


@torch.no_grad()
def test_hand_computed_attention():
    psi = AudioFusion(visual_channels=2, audio_channels=2, embed_dims=2, num_heads=1,
                      feedforward_channels=4)
    for layer in (psi.query_proj, psi.to_query, psi.to_key, psi.to_value, psi.out):
        layer.weight.copy_(torch.eye(2))
        layer.bias.zero_()
    psi.feedforward[-1].weight.zero_()
    psi.feedforward[-1].bias.copy_(torch.tensor([10., 20.]))
    # The layer norms map both to (1, -1) or (-1, 1); scores are +-2 / sqrt(2), and weights w and
    # 1 - w of opposite vectors leave tanh(sqrt(2)) of them.
    visual = torch.tensor([[[3., -3.]]])
    audio = torch.tensor([[[5., -5.], [-0.5, 0.5]]])
    attended = math.tanh(math.sqrt(2))
    torch.testing.assert_close(
        psi(visual, *psi.encode_audio(audio)),
        torch.tensor([[[3 + attended + 10, -3 - attended + 20]]]), rtol=1e-5, atol=1e-4)


@torch.no_grad()
def test_any_frames_query_all_windows():
    psi = AudioFusion(visual_channels=6, audio_channels=5, embed_dims=8, num_heads=2,
                      feedforward_channels=16).eval()
    visual, audio = torch.randn(2, 4, 6), torch.randn(2, 7, 5)
    fused = psi(visual, *psi.encode_audio(audio))
    assert fused.shape == (2, 4, psi.out_channels)
    # A frame's result does not depend on which other frames are asked about.
    torch.testing.assert_close(psi(visual[:, [2, 0]], *psi.encode_audio(audio)), fused[:, [2, 0]])
    other = audio.clone()
    other[0, 6] += torch.randn(5)
    changed = (psi(visual, *psi.encode_audio(other)) - fused).abs().amax(dim=2) > 1e-6
    assert changed.tolist() == [[True] * 4, [False] * 4]


@torch.no_grad()
def test_equals_multi_head_attention():
    """Several heads; PyTorch's own module with the same weights is the oracle."""
    psi = AudioFusion(visual_channels=6, audio_channels=5, embed_dims=8, num_heads=2,
                      feedforward_channels=16).eval()
    attention = nn.MultiheadAttention(8, 2, kdim=5, vdim=5, batch_first=True).eval()
    attention.in_proj_bias.normal_()
    attention.out_proj.bias.normal_()
    for layer, weight, bias in zip(
            (psi.to_query, psi.to_key, psi.to_value),
            (attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight),
            attention.in_proj_bias.chunk(3)):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    psi.out.load_state_dict(attention.out_proj.state_dict())
    visual, audio = torch.randn(2, 4, 6), torch.randn(2, 7, 5)
    query = psi.query_proj(visual)
    windows = psi.audio_norm(audio)
    expected = query + attention(psi.query_norm(query), windows, windows)[0]
    expected = expected + psi.feedforward(expected)
    torch.testing.assert_close(psi(visual, *psi.encode_audio(audio)), expected)


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match='embed_dims=10 must be a multiple of num_heads=4'):
        AudioFusion(visual_channels=2, audio_channels=2, embed_dims=10, num_heads=4)
