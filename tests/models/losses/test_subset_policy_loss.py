"""OCSampler's policy gradient: the probability of an unordered set, and the loss."""

import itertools
import math

import pytest
import torch

from avgn_mm.models.losses import (
    SubsetPolicyLoss,
    draw_from_segments,
    sample_ordered_subset,
    subset_log_prob,
)


def enumerated(probs, subset):
    """The sum over all orders, in plain Python."""
    total = 0.
    for order in itertools.permutations(subset):
        product, left = 1., 1.
        for item in order:
            product *= probs[item] / left
            left -= probs[item]
        total += product
    return total


def test_by_hand():
    # {0, 1} of (1/2, 3/10, 1/5): 1/2 * 3/5 + 3/10 * 5/7 = 0.3 + 3/14 = 18/35.
    log_probs = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log()
    prob = subset_log_prob(log_probs, torch.tensor([[0, 1]])).exp().item()
    assert prob == pytest.approx(18 / 35, abs=1e-12)
    # A single draw, and all: certain.
    assert subset_log_prob(log_probs, torch.tensor([[2]])).exp().item() == pytest.approx(0.2)
    assert subset_log_prob(log_probs, torch.tensor([[2, 0, 1]])).item() == 0


@pytest.mark.parametrize('size', [1, 2, 3, 5])
def test_against_enumeration(size):
    log_probs = (2 * torch.randn(3, 7).double()).log_softmax(dim=1)
    subset = torch.stack([torch.randperm(7)[:size] for _ in range(3)])
    found = subset_log_prob(log_probs, subset).exp()
    expected = [enumerated(p, s) for p, s in zip(log_probs.exp().tolist(), subset.tolist())]
    assert found.tolist() == pytest.approx(expected, rel=1e-10)
    # It is a set.
    flipped = subset_log_prob(log_probs, subset.flip(1)).exp()
    torch.testing.assert_close(flipped, found)


@pytest.mark.parametrize('size', [1, 3, 6])
def test_sets_share_out_the_probability(size):
    """All sets together have probability 1, hence their gradients cancel."""
    logits = torch.randn(6).double().requires_grad_()
    sets = torch.tensor(list(itertools.combinations(range(6), size)))
    total = subset_log_prob(logits.log_softmax(0).expand(len(sets), 6), sets).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-12)
    total.backward()
    torch.testing.assert_close(logits.grad, torch.zeros(6).double(), atol=1e-12, rtol=0)


def test_gradient():
    logits = torch.randn(2, 6).double().requires_grad_()
    subset = torch.tensor([[3, 0, 5], [1, 2, 4]])
    assert torch.autograd.gradcheck(
        lambda x: subset_log_prob(x.log_softmax(dim=1), subset), logits)


def test_sure_policies_give_finite_gradients():
    """After a sure draw 1 - p is 0 in single precision; the sum of what is left is not."""
    logits = torch.tensor([[60., 30., 0., -30.]], requires_grad=True)
    prob = subset_log_prob(logits.log_softmax(dim=1), torch.tensor([[0, 2]]))
    # First 0 for sure; then 2 with e^0 / (e^30 + e^0 + e^-30).
    assert prob.item() == pytest.approx(-30, rel=1e-5)
    prob.sum().backward()
    assert logits.grad[0].tolist() == pytest.approx([0, -1, 1, 0], abs=1e-4)


def test_draws_have_the_stated_probability():
    log_probs = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    drawn = sample_ordered_subset(log_probs.expand(40000, 4), 2)[0][:, :2].sort(dim=1).values
    for pair in itertools.combinations(range(4), 2):
        rate = (drawn == torch.tensor(pair)).all(dim=1).float().mean().item()
        stated = subset_log_prob(log_probs[None], torch.tensor([pair])).exp().item()
        assert rate == pytest.approx(stated, abs=0.012)


def test_segments():
    # Ten frames in four segments: 0-1, 2-4, 5-6, 7-9.
    times = draw_from_segments(10, 4, 500, torch.device('cpu'))
    assert [sorted(set(column.tolist())) for column in times.T] == [
        [0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]
    assert draw_from_segments(3, 3, 1, torch.device('cpu')).tolist() == [[0, 1, 2]]


def test_loss_by_hand():
    log_probs = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.25, 0.25]]).log()
    subset = torch.tensor([[0, 1], [0, 2]])
    advantage = torch.tensor([0.6, -0.2], requires_grad=True)
    losses = SubsetPolicyLoss(entropy_weight=0.1)(log_probs, subset, advantage, remaining=0.5)
    # {0, 2} of (1/2, 1/4, 1/4): 1/2 * 1/2 + 1/4 * 2/3 = 5/12.
    expected = -(0.6 * math.log(18 / 35) - 0.2 * math.log(5 / 12)) / 2
    assert losses['loss_policy'].item() == pytest.approx(expected, abs=1e-6)
    assert not losses['loss_policy'].requires_grad  # the rewards are not taught
    first = -sum(p * math.log(p) for p in (0.5, 0.3, 0.2))
    entropy = (first + 1.5 * math.log(2)) / 2
    assert losses['loss_entropy'].item() == pytest.approx(-0.1 * 0.5 * entropy, abs=1e-6)
