"""The masked visual token reconstruction loss L_mask (section 3.4)."""

import pytest
import torch

from avgn_mm.models.losses import MaskedReconstructionLoss

TOKENS = torch.tensor([[[9., 9.], [0., 1.], [2., 2.]]])
RECONSTRUCTION = torch.tensor([[[0., 0.], [1., 3.], [5., 2.]]])


@pytest.mark.parametrize('num_glances, expected', [
    (1, 3.5),  # ((1 + 4) / 2 + (9 + 0) / 2) / 2
    (2, 4.5),
    (3, 0.),
])
def test_hand_computed_values(num_glances, expected):
    loss = MaskedReconstructionLoss()
    assert loss(RECONSTRUCTION, TOKENS, num_glances).item() == expected
    # A mean over videos, too.
    twice = loss(RECONSTRUCTION.repeat(2, 1, 1), TOKENS.repeat(2, 1, 1), num_glances)
    assert twice.item() == expected
    assert MaskedReconstructionLoss(0.5)(RECONSTRUCTION, TOKENS, num_glances) == expected / 2


def test_only_masked_slots_enter():
    loss, num_glances = MaskedReconstructionLoss(), 1
    expected = loss(RECONSTRUCTION, TOKENS, num_glances)
    tokens, reconstruction = TOKENS.clone(), RECONSTRUCTION.clone().requires_grad_()
    tokens[:, 0] = 1e6
    assert loss(reconstruction, tokens, num_glances) == expected
    loss(reconstruction, tokens, num_glances).backward()
    assert reconstruction.grad.abs().sum(dim=2).tolist() == [[0, 1.5, 1.5]]
    tokens[:, 1] = 0
    assert loss(reconstruction, tokens, num_glances) != expected


def test_target_is_detached():
    tokens = TOKENS.clone().requires_grad_()
    assert not MaskedReconstructionLoss()(RECONSTRUCTION, tokens, 1).requires_grad


def test_without_masked_frames_it_stays_in_the_graph():
    """Distributed training wants a gradient for every parameter in every step."""
    reconstruction = RECONSTRUCTION.clone().requires_grad_()
    loss = MaskedReconstructionLoss()(reconstruction, TOKENS, 3)
    loss.backward()
    assert loss.item() == 0
    assert reconstruction.grad.abs().sum() == 0
