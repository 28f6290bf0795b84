"""The saliency loss L_s (eq. 11 and 12), and the listwise one."""

import math

import pytest
import torch

from avgn_mm.models.losses import (
    ListwiseSaliencyLoss,
    SaliencyLoss,
    frame_confidence,
    saliency_target,
)

LOGITS = torch.tensor([[[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]]).log()
CONFIDENCE = torch.tensor([[0.6, 0.9, 0.5]])


def test_target():
    torch.testing.assert_close(frame_confidence(LOGITS), CONFIDENCE)
    target = saliency_target(CONFIDENCE)
    torch.testing.assert_close(target, torch.tensor([[2 / 3, 1., 5 / 9]]))
    # Per video, whatever the other videos' confidence; a constant on the logits changes nothing.
    both = saliency_target(frame_confidence(torch.cat((LOGITS + 7, torch.zeros(1, 3, 2)))))
    torch.testing.assert_close(both, torch.tensor([[2 / 3, 1., 5 / 9], [1., 1., 1.]]))


def test_target_is_detached():
    assert not saliency_target(CONFIDENCE.clone().requires_grad_()).requires_grad


def test_l1_value_and_gradient():
    saliency = torch.full((1, 3), 0.6, requires_grad=True)
    loss = SaliencyLoss()(saliency, CONFIDENCE)
    assert loss.item() == pytest.approx((2 / 3 - 0.6 + 0.4 + 0.6 - 5 / 9) / 3)
    loss.backward()
    torch.testing.assert_close(saliency.grad, torch.tensor([[-1., -1., 1.]]) / 3)


@pytest.mark.parametrize('loss', [SaliencyLoss, ListwiseSaliencyLoss])
def test_loss_weight(loss):
    saliency = torch.tensor([[0.6, 0.6, 0.2]])
    assert loss(loss_weight=0.5)(saliency, CONFIDENCE) == loss()(saliency, CONFIDENCE) / 2


def test_listwise_value_and_gradient():
    """Two frames, targets 1 and 1/2: their softmax at temperature 1/2 is e / (e + 1)."""
    saliency = torch.tensor([[0.3, 0.3]], requires_grad=True)
    loss = ListwiseSaliencyLoss(temperature=0.5)(saliency, torch.tensor([[0.8, 0.4]]))
    p = math.e / (math.e + 1)
    wanted = p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    loss.backward()
    # (predicted - wanted) / temperature
    torch.testing.assert_close(saliency.grad, torch.tensor([[0.5 - p, p - 0.5]]) / 0.5)


def test_listwise_is_0_at_the_target_and_a_mean_over_videos():
    loss = ListwiseSaliencyLoss()
    target = saliency_target(CONFIDENCE)
    assert loss(target, CONFIDENCE).item() == pytest.approx(0, abs=1e-6)
    other = torch.tensor([[0.2, 0.1, 0.9]])
    both = loss(torch.cat((target, other)), CONFIDENCE.repeat(2, 1))
    torch.testing.assert_close(both, loss(other, CONFIDENCE) / 2)


@pytest.mark.parametrize('temperature', [0.0, -1.0])
def test_listwise_temperature(temperature):
    with pytest.raises(ValueError, match=f'temperature={temperature}'):
        ListwiseSaliencyLoss(temperature=temperature)
