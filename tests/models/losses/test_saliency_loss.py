"""The saliency loss L_s (eq. 11 and 12)."""

import pytest
import torch

from avgn_mm.models.losses import SaliencyLoss, saliency_target

# Confidences 0.6, 0.9 and 0.5.
LOGITS = torch.tensor([[[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]]).log()


def test_target():
    target = saliency_target(LOGITS)
    torch.testing.assert_close(target, torch.tensor([[2 / 3, 1., 5 / 9]]))
    # Per video, whatever the other videos' confidence; a constant on the logits changes nothing.
    both = saliency_target(torch.cat((LOGITS + 7, torch.zeros(1, 3, 2))))
    torch.testing.assert_close(both, torch.tensor([[2 / 3, 1., 5 / 9], [1., 1., 1.]]))


def test_target_is_detached():
    assert not saliency_target(LOGITS.clone().requires_grad_()).requires_grad


def test_l1_value_and_gradient():
    saliency = torch.full((1, 3), 0.6, requires_grad=True)
    loss = SaliencyLoss()(saliency, LOGITS)
    assert loss.item() == pytest.approx((2 / 3 - 0.6 + 0.4 + 0.6 - 5 / 9) / 3)
    loss.backward()
    torch.testing.assert_close(saliency.grad, torch.tensor([[-1., -1., 1.]]) / 3)


def test_loss_weight():
    saliency = torch.full((1, 3), 0.6)
    assert SaliencyLoss(loss_weight=0.5)(saliency, LOGITS) == SaliencyLoss()(saliency, LOGITS) / 2
