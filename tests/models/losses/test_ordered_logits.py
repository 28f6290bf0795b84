"""The ordered audio-visual logits loss L_ord (eq. 13)."""

import pytest
import torch
from torch import nn

from avgn_mm.models.heads import PoolingClassifier
from avgn_mm.models.losses import OrderedLogitsLoss, sample_ordered_subset


@pytest.fixture
def no_noise(monkeypatch):
    """Gumbel noise is -log of an exponential variable; that of 1 is 0."""
    monkeypatch.setattr(torch.Tensor, 'exponential_', lambda self: self.fill_(1))


def test_mask_is_hard_and_in_the_drawn_order():
    saliency = torch.rand(5, 8)
    for num_kept in (1, 3, 8):
        order, mask = sample_ordered_subset(saliency, num_kept)
        assert order.sort(dim=1).values.tolist() == [list(range(8))] * 5
        expected = torch.tensor([1.] * num_kept + [0.] * (8 - num_kept)).expand(5, 8)
        torch.testing.assert_close(mask, expected, rtol=0, atol=1e-6)


def test_draws_follow_the_saliency():
    """Gumbel-top-k draws without replacement from softmax(s / tau)."""
    saliency = (torch.tensor([0.6, 0.3, 0.1]).log() * 0.5).expand(40000, 3)
    order, _ = sample_ordered_subset(saliency, 2, tau=0.5)
    rate = {(a, b): (order[:, :2] == torch.tensor([a, b])).all(dim=1).float().mean().item()
            for a, b in ((0, 1), (0, 2), (1, 0), (2, 1))}
    # First 0 with 0.6, then 1 with 0.3 of the 0.4 that are left, and so on.
    assert rate[0, 1] == pytest.approx(0.6 * 0.3 / 0.4, abs=0.01)
    assert rate[0, 2] == pytest.approx(0.6 * 0.1 / 0.4, abs=0.01)
    assert rate[1, 0] == pytest.approx(0.3 * 0.6 / 0.7, abs=0.01)
    assert rate[2, 1] == pytest.approx(0.1 * 0.3 / 0.9, abs=0.01)


def test_without_temperature_it_is_the_plain_top_k():
    saliency = torch.tensor([[0.2, 0.9, 0.5, 0.4], [0.9, 0.8, 0.1, 0.3]])
    order, _ = sample_ordered_subset(saliency, 2, tau=1e-6)
    assert order.tolist() == [[1, 2, 3, 0], [0, 1, 3, 2]]


@pytest.mark.parametrize('tau', [1., 0.5])
def test_gradient_is_that_of_the_softmax(no_noise, tau):
    saliency = torch.tensor([[0.2, 0.9, 0.5]], requires_grad=True)
    weights = torch.tensor([[3., 5., 7.]])  # of the drawn order: frames 1, 2, 0
    order, mask = sample_ordered_subset(saliency, 1, tau)
    assert order.tolist() == [[1, 2, 0]]
    assert mask.tolist() == [[1, 0, 0]]
    (gradient,) = torch.autograd.grad((mask * weights).sum(), saliency)
    soft = (saliency.detach()[0] / tau).softmax(dim=0)
    by_frame = torch.tensor([7., 3., 5.])
    # d softmax_i / d s_j = softmax_i (delta_ij - softmax_j) / tau
    expected = soft * (by_frame - (soft * by_frame).sum()) / tau
    torch.testing.assert_close(gradient[0], expected)


@pytest.mark.parametrize('num_kept', [1, 2, 4])
def test_loss_is_that_of_inference_with_k_frames(monkeypatch, no_noise, num_kept):
    monkeypatch.setattr(torch, 'randint', lambda *args: torch.tensor(num_kept))
    classifier = PoolingClassifier(
        in_channels=2, hidden_channels=6, num_classes=3, num_frames=4, dropout_ratio=0.)
    embedded = torch.rand(2, 4, 6)
    saliency = torch.tensor([[0.2, 0.9, 0.5, 0.4], [0.9, 0.8, 0.1, 0.3]], requires_grad=True)
    labels = torch.tensor([2, 0])

    def criterion(logits):
        assert logits.shape == (2, 1, 3)
        return nn.functional.cross_entropy(logits[:, 0], labels)

    loss = OrderedLogitsLoss(loss_weight=0.5)(classifier, embedded, saliency, criterion)
    best = torch.tensor([[1, 2, 3, 0], [0, 1, 3, 2]])[:, :num_kept]
    pooled = torch.stack([frames[i].max(dim=0).values for frames, i in zip(embedded, best)])
    expected = nn.functional.cross_entropy(classifier.steps[num_kept - 1](pooled), labels) / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (saliency.grad.abs() > 1e-6).all()


def test_k_is_any_of_1_to_T():
    steps = set()

    class Recorder(nn.Module):
        def classify(self, pooled, first_step):
            steps.add(first_step)
            return pooled

    loss = OrderedLogitsLoss()
    for _ in range(60):
        loss(Recorder(), torch.rand(1, 4, 3), torch.rand(1, 4), torch.sum)
    assert steps == {0, 1, 2, 3}
