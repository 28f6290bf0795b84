"""psi, the audio fusion transformer (section 3.3)."""

import math

import torch

from avgn_mm.models.necks import AudioFusion


@torch.no_grad()
def test_hand_computed_attention():
    psi = AudioFusion(visual_channels=2, audio_channels=2, embed_dims=2, num_heads=1,
                      feedforward_channels=4)
    psi.query_proj.weight.copy_(torch.eye(2))
    psi.query_proj.bias.zero_()
    psi.attention.in_proj_weight.copy_(torch.eye(2).repeat(3, 1))
    psi.attention.in_proj_bias.zero_()
    psi.attention.out_proj.weight.copy_(torch.eye(2))
    psi.attention.out_proj.bias.zero_()
    psi.feedforward[-1].weight.zero_()
    psi.feedforward[-1].bias.copy_(torch.tensor([10., 20.]))
    # The layer norms map both to (1, -1) or (-1, 1); scores are +-2 / sqrt(2), and weights w and
    # 1 - w of opposite vectors leave tanh(sqrt(2)) of them.
    visual = torch.tensor([[[3., -3.]]])
    audio = torch.tensor([[[5., -5.], [-0.5, 0.5]]])
    attended = math.tanh(math.sqrt(2))
    torch.testing.assert_close(
        psi(visual, audio), torch.tensor([[[3 + attended + 10, -3 - attended + 20]]]),
        rtol=1e-5, atol=1e-4)


@torch.no_grad()
def test_any_frames_query_all_windows():
    psi = AudioFusion(visual_channels=6, audio_channels=5, embed_dims=8, num_heads=2,
                      feedforward_channels=16).eval()
    visual, audio = torch.randn(2, 4, 6), torch.randn(2, 7, 5)
    fused = psi(visual, audio)
    assert fused.shape == (2, 4, psi.out_channels)
    # A frame's result does not depend on which other frames are asked about.
    torch.testing.assert_close(psi(visual[:, [2, 0]], audio), fused[:, [2, 0]])
    other = audio.clone()
    other[0, 6] += torch.randn(5)
    changed = (psi(visual, other) - fused).abs().amax(dim=2) > 1e-6
    assert changed.tolist() == [[True] * 4, [False] * 4]
