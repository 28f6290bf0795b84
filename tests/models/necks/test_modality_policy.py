"""The order in which the policy's LSTM reads a video, and what it reads."""

import pytest
import torch

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import MODELS


@pytest.fixture
def policy():
    return MODELS.build(dict(
        type='ModalityPolicy',
        backbone=dict(type='ConvStack', channels=(8, ), strides=(2, )),
        audio_backbone=dict(type='ConvStack', in_channels=1, channels=(6, ), strides=(4, )),
        visual_channels=8, audio_channels=6, image_size=8, hidden_channels=10,
        embed_dims=12)).eval()


def inputs(num_frames, batch_size=2):
    return (torch.randn(batch_size, num_frames, 3, 16, 16),
            torch.randn(batch_size, num_frames, 1, 24, 16))


@pytest.mark.parametrize('num_frames', [1, 2, 5, 8])
def test_reads_in_time_order_and_feeds_its_logits_back(policy, num_frames):
    """The same as an LSTM written out, on segments put into time order before."""
    imgs, audios = inputs(num_frames)
    order = coarse_to_fine_order(num_frames)
    with torch.no_grad():
        found = policy(imgs, audios)
        features = policy.encode(imgs, audios)
        lstm, logits = policy.lstm, torch.zeros(2, 4)
        hidden = cell = torch.zeros(2, 12)
        for time in range(num_frames):
            x = torch.cat((features[:, order.index(time)], logits), dim=1)
            gates = (x @ lstm.weight_ih.T + lstm.bias_ih + hidden @ lstm.weight_hh.T
                     + lstm.bias_hh)
            let_in, forget, new, let_out = gates.chunk(4, dim=1)
            cell = forget.sigmoid() * cell + let_in.sigmoid() * new.tanh()
            hidden = let_out.sigmoid() * cell.tanh()
            logits = policy.fc(hidden)
            expected = logits.view(2, 2, 2)
            torch.testing.assert_close(found[:, order.index(time)], expected)


def test_a_decision_knows_the_past_only(policy):
    imgs, audios = inputs(8)
    order = torch.tensor(coarse_to_fine_order(8))
    with torch.no_grad():
        before = policy(imgs, audios)
        imgs[:, order == 5] += 1
        after = policy(imgs, audios)
    changed = (before != after).any(dim=(0, 2, 3))
    assert torch.equal(changed, order >= 5)


def test_both_modalities_reach_both_decisions(policy):
    imgs, audios = (x.requires_grad_() for x in inputs(3))
    for modality in range(2):
        gradients = torch.autograd.grad(
            policy(imgs, audios)[:, :, modality].square().sum(), (imgs, audios))
        assert all(bool(gradient.abs().sum() > 0) for gradient in gradients)
