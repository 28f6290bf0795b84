import math

import pytest
import torch

from avgn_mm.models.losses import BudgetDistillationLoss


def test_hand_computed():
    """Of two steps and two classes, the second, sure of 4 to 1, teaches the first, even."""
    step_logits = torch.tensor([[[0.0, 0.0], [math.log(4), 0.0]]], requires_grad=True)
    loss = BudgetDistillationLoss(loss_weight=2.0)(step_logits)
    assert loss.item() == pytest.approx(2 * (0.8 * math.log(1.6) + 0.2 * math.log(0.4)))
    loss.backward()
    # The student's probabilities less the teacher's; the teacher is not taught.
    torch.testing.assert_close(step_logits.grad, torch.tensor([[[-0.6, 0.6], [0.0, 0.0]]]))


def test_mean_over_steps_and_videos():
    step_logits = torch.randn(2, 4, 3)
    pairs = [BudgetDistillationLoss()(step_logits[video:video + 1, [step, 3]])
             for video in range(2) for step in range(3)]
    torch.testing.assert_close(BudgetDistillationLoss()(step_logits), torch.stack(pairs).mean())


def test_temperature_keeps_the_size_of_the_gradient():
    """For small logits the gradient is that of a temperature of 1."""
    gradients = []
    for temperature in (1.0, 4.0):
        logits = (torch.tensor([[[0., 1., 2.], [5., 0., 1.]]]) * 1e-3).requires_grad_()
        BudgetDistillationLoss(temperature=temperature)(logits).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients, rtol=0.05, atol=0)
    with pytest.raises(ValueError, match='temperature=0'):
        BudgetDistillationLoss(temperature=0)


def test_a_single_step_has_no_teacher():
    logits = torch.randn(2, 1, 3, requires_grad=True)
    loss = BudgetDistillationLoss()(logits)
    loss.backward()
    assert loss == 0 and not logits.grad.any()
