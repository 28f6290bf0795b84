"""The pairwise ranking loss, by hand."""

import pytest
import torch

from avgn_mm.registry import MODELS

# The second frame is the best, then the first, then the third and fourth, which are equal.
CONFIDENCE = torch.tensor([[0.4, 0.9, 0.1, 0.1]])
SALIENCY = torch.tensor([[1.0, 0.5, 1.5, -1.0]])


def loss(saliency=SALIENCY, confidence=CONFIDENCE, **kwargs):
    return MODELS.build(dict(type='PairwiseRankingLoss', **kwargs))(saliency, confidence)


def test_by_hand():
    # Of the five pairs (1,0) is wrong by 0.5, (1,2) by 1.0, (0,2) by 0.5; (1,3) is right by 1.5
    # and (0,3) by 2.
    assert float(loss()) == pytest.approx((0.5 + 1.0 + 0.5) / 5)
    assert float(loss(margin=1.75)) == pytest.approx((2.25 + 2.75 + 2.25 + 0.25) / 5)
    assert float(loss(loss_weight=3.0)) == pytest.approx(3 * 2 / 5)


def test_gradient_by_hand():
    saliency = SALIENCY.clone().requires_grad_()
    confidence = CONFIDENCE.clone().requires_grad_()
    loss(saliency, confidence).backward()
    assert confidence.grad is None
    # The wrong pairs push the better frame up and the worse one down.
    torch.testing.assert_close(saliency.grad, torch.tensor([[0., -2, 2, 0]]) / 5)


def test_nothing_to_order():
    assert float(loss(torch.randn(2, 1), torch.randn(2, 1))) == 0
    assert float(loss(torch.randn(2, 3), torch.ones(2, 3), margin=1.0)) == 0
