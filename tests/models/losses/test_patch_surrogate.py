import pytest
import torch
import torch.nn.functional as F

from avgn_mm.models.losses import PatchSurrogateLoss


def criterion(logits):
    return F.cross_entropy(logits.squeeze(1), torch.tensor([1]))


def hand_made():
    """One channel votes for class 1; it rises from 0 to 3 along x, the same in both frames."""
    loss = PatchSurrogateLoss(in_channels=1, num_classes=2, loss_weight=2.0)
    with torch.no_grad():
        loss.fc.weight.copy_(torch.tensor([[0.0], [1.0]]))
        loss.fc.bias.zero_()
    maps = torch.arange(4.).expand(1, 2, 1, 4, 4).clone().requires_grad_()
    return loss, maps


def test_hand_computed():
    loss, maps = hand_made()
    actions = torch.tensor([[[0.5, 0.0], [0.5, 0.75]]], requires_grad=True)
    # Patches of half the width cover two cells: x = 0 and 1, and 1.5 and 2.5; in the mean 1.25.
    value = loss(maps, actions, 16, 32, criterion)
    assert value.item() == pytest.approx(2 * torch.tensor(-1.25).exp().log1p().item())
    value.backward()
    # 2 * -sigmoid(-1.25) of the mean over two frames; all of x's range of 2 cells is 2 higher.
    slope = -2 * torch.sigmoid(torch.tensor(-1.25)).item() / 2 * 2
    assert actions.grad[0, 1].tolist() == pytest.approx([0, slope], abs=1e-6)
    assert maps.grad is None
