import pytest
import torch

from avgn_mm.models.losses import HindsightLoss
from tests.tiny import avgn, batch


def test_hand_computed():
    actions = torch.tensor([[[0.5, 0.5], [0.2, 0.2]]], requires_grad=True)
    random_actions = torch.tensor([[[0.9, 0.2], [0.8, 0.8]]])
    confidence = torch.tensor([[0.1, 0.7]], requires_grad=True)
    loss = HindsightLoss(loss_weight=2.)(
        actions, random_actions, confidence, torch.tensor([[0.6, 0.3]]))
    # Only the first frame gained: 2 * 0.5 * (0.16 + 0.09) / 2 frames.
    torch.testing.assert_close(loss, torch.tensor(0.125))
    loss.backward()
    # 2 * 0.5 * 2 * (0.5 - 0.9) / 2: descent goes toward the random patch.
    torch.testing.assert_close(actions.grad, torch.tensor([[[-0.4, 0.3], [0., 0.]]]))
    assert confidence.grad is None


def test_teaches_the_policy_alone():
    model = avgn(hindsight_loss=dict(type='HindsightLoss'))
    names, parameters = zip(*model.named_parameters())
    loss = model.loss(*batch())['loss_hindsight']
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    reached = {name.split('.')[0] for name, gradient in zip(names, gradients)
               if gradient is not None and gradient.abs().max() > 0}
    assert reached == {'patch_policy', 'spatial_glance'}


def test_needs_random_patches():
    with pytest.raises(ValueError, match='random_patch'):
        avgn(hindsight_loss=dict(type='HindsightLoss'), train_cfg=dict(num_glances=3))
