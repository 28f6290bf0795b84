"""Uni-AdaFocus: the draw of frames, the losses of its policies, and its cost."""

from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.cost import count_macs
from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.necks.temporal_policy import draw_frames, inclusion_shares
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIG = Path(__file__).parents[3] / 'configs' / 'uniadafocus' / 'uniadafocus_mn2_r50_anet.py'
NUM_FRAMES, NUM_GLANCES, NUM_FOCUS = 12, 4, 3


def build(**changes):
    return MODELS.build(dict(dict(
        type='UniAdaFocus',
        num_frames=NUM_FRAMES,
        num_glances=NUM_GLANCES,
        num_focus=NUM_FOCUS,
        patch_size=16,
        visual_channels=16,
        local_channels=24,
        backbone=dict(type='ConvStack', channels=(8, 16), strides=(2, 4)),
        local_backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
        spatial_policy=dict(type='SpatialPolicy', feature_size=4, hidden_channels=8),
        temporal_policy=dict(type='TemporalPolicy', hidden_channels=8),
        cls_head=dict(type='GlanceFocusHead', num_classes=NUM_CLASSES, hidden_channels=32)),
        **changes))


def midpoints(k):
    return (torch.arange(k)[None] + 0.5) / k


@pytest.mark.parametrize('weights, num_frames, drawn', [
    # Four steps of equal weight, three frames each: the middle of each.
    ([0.25, 0.25, 0.25, 0.25], 12, [1, 4, 7, 10]),
    # 1/8, 3/8 and 5/8 lie 1/6, 1/2 and 5/6 into the first step, 7/8 half into the second.
    ([0.75, 0.25], 8, [0, 2, 3, 6]),
    # A step without weight gives nothing: 1/8 and 3/8 are 1/4 and 3/4 of the second step.
    ([0.0, 0.5, 0.0, 0.5], 16, [5, 7, 13, 15]),
    # All fall on the first frame but one, and go to the next ones.
    ([0.9, 0.1, 0.0, 0.0], 4, [0, 1, 2, 3]),
    # 1/8 falls on frame 3, the others on 4, 4 and 5 of 0..5, and the end pushes them back.
    ([0.0, 0.25, 0.75], 6, [2, 3, 4, 5]),
])
def test_draw_by_inverse_cdf(weights, num_frames, drawn):
    assert draw_frames(torch.tensor([weights]), num_frames, midpoints(4)).tolist() == [drawn]


def test_drawn_frames_are_distinct_and_follow_the_weights():
    weights = torch.tensor([[0.7, 0.1, 0.1, 0.1]]).expand(2000, -1)
    quantiles = (torch.arange(3) + torch.rand(2000, 3)) / 3
    frames = draw_frames(weights, 40, quantiles)
    assert (frames.diff(dim=1) > 0).all() and frames.min() >= 0 and frames.max() <= 39
    share = torch.bincount(frames.flatten() // 10, minlength=4) / frames.numel()
    torch.testing.assert_close(share, weights[0], atol=0.03, rtol=0)
    with pytest.raises(ValueError, match='4 distinct frames cannot be drawn from 3'):
        draw_frames(weights[:1], 3, midpoints(4))


def test_shares_of_draws_without_replacement():
    weights = torch.tensor([[0.5, 0.3, 0.2]])
    torch.testing.assert_close(inclusion_shares(weights.log(), 1, 2), weights)
    # P(0 is among two) = 0.5 + 0.3 * 0.5 / 0.7 + 0.2 * 0.5 / 0.8, and so on.
    expected = torch.tensor([[0.839286, 0.675, 0.485714]]) / 2
    torch.testing.assert_close(
        inclusion_shares(weights.log(), 2, 50_000), expected, atol=3e-3, rtol=0)
    # No weight is small enough to make a number that is none.
    logits = torch.tensor([[0.0, -200.0, -300.0]], requires_grad=True)
    shares = inclusion_shares(logits.log_softmax(dim=1), 2, 4)
    torch.testing.assert_close(shares.detach(), torch.tensor([[0.5, 0.5, 0.0]]))
    shares.square().sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_gradient_of_one_draw():
    """d/dx_j of sum_i w_i z_i is w_j (z_j - mean), for w = softmax(x)."""
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().requires_grad_()
    values = torch.tensor([1.0, 2.0, 4.0])
    (inclusion_shares(logits.log_softmax(dim=1), 1, 3) @ values).sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.45, 0.03, 0.42]]))


def test_glances_are_the_middle_ones_at_test_and_any_in_training():
    model = build()
    seen = []
    model.encode_frames = lambda frames: seen.append(frames[..., 0, 0, 0].long()) or frames
    times = torch.tensor(coarse_to_fine_order(NUM_FRAMES)).float()
    imgs = times.view(1, -1, 1, 1, 1).expand(200, -1, 3, 1, 1)
    model.eval()
    model.glance(imgs)
    assert seen[0].unique(dim=0).tolist() == [[1, 4, 7, 10]]
    model.train()
    model.glance(imgs)
    assert torch.equal(seen[1] // 3, torch.arange(4).expand(200, -1))
    assert seen[1].unique().tolist() == list(range(12))


def test_patches_are_interpolated_in_time():
    model = build()
    steps = torch.tensor([0.0, 0.3, 0.9, 0.6])[None, :, None].expand(1, 4, 2)
    spread = model.spread(steps)[0, :, 0]
    expected = torch.tensor([0, 0, .1, .2, .3, .5, .7, .9, .8, .7, .6, .6])
    torch.testing.assert_close(spread, expected)


def test_details_are_of_the_same_frames():
    model = build().eval()
    with torch.no_grad():
        for parameter in model.temporal_policy.parameters():
            parameter.mul_(6)
    inputs, samples = batch(2, NUM_FRAMES)
    order = torch.tensor(coarse_to_fine_order(NUM_FRAMES))
    for sample in model.predict(inputs, samples):
        weights = sample.saliency[order.argsort()].view(NUM_GLANCES, 3)
        assert torch.equal(weights[:, 0], weights[:, 2])
        drawn = draw_frames(3 * weights[None, :, 0], NUM_FRAMES, midpoints(NUM_FOCUS))[0]
        # Three frames are looked at in the order middle, first, last.
        assert order[sample.selected].tolist() == drawn[[1, 0, 2]].tolist()
        assert sample.patch_boxes.shape == (NUM_FOCUS, 4)
        torch.testing.assert_close(
            sample.patch_boxes[:, 2:] - sample.patch_boxes[:, :2], torch.full((3, 2), 16.0))


def test_head_by_hand():
    head = build().eval().cls_head
    glances, looks = torch.rand(2, NUM_GLANCES, 32), torch.rand(2, NUM_FOCUS, 32)
    steps = head.step_logits(glances, looks)
    assert steps.shape == (2, NUM_GLANCES + NUM_FOCUS, NUM_CLASSES)
    second = head.glance_classifier.steps[1](glances[:, :2].amax(dim=1))
    torch.testing.assert_close(steps[:, 1], second)
    last = torch.cat((looks[:, :2].amax(dim=1), glances.amax(dim=1)), dim=1)
    torch.testing.assert_close(steps[:, 5], head.focus_classifier.steps[1](last))
    torch.testing.assert_close(steps[:, 5], head(glances, looks[:, :2]))


def test_policies_learn_by_their_own_losses_only():
    model = build(train_cfg=dict(num_samples=8)).train()
    inputs, samples = batch(4, NUM_FRAMES)
    for policy, own in (('spatial_policy', 'loss_spatial'), ('temporal_policy', 'loss_temporal')):
        parameters = list(getattr(model, policy).parameters())
        losses = {name: x for name, x in model.loss(inputs, samples).items() if 'loss' in name}
        assert len(losses) == 5
        for name, loss in losses.items():
            grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            assert all((grad is None) != (name == own) for grad in grads), name


def test_spatial_loss_moves_the_patch_to_where_the_class_shows():
    """One cell of the maps shows class 0, right of the patch."""
    model = build().eval()
    maps = torch.zeros(1, NUM_GLANCES, 16, 4, 4)
    maps[:, :, 0, 2, 3] = 1
    with torch.no_grad():
        model.cls_head.fc_spatial.weight.zero_()[0, 0] = 1
        model.cls_head.fc_spatial.bias.zero_()
    # 16 of 32 px are 2 of 4 cells. From 0.8 on the patch has nothing of the last column.
    logits = model.patch_logits(maps, torch.full((1, NUM_GLANCES, 2), 0.4), 32)
    assert logits.shape == (1, 1, NUM_CLASSES) and not logits.any()
    # From 1.5 on it has all of row 2 and half of column 3, over the patch's four cells.
    actions = torch.full((1, NUM_GLANCES, 2), 0.75, requires_grad=True)
    logits = model.patch_logits(maps, actions, 32)
    torch.testing.assert_close(logits[0, 0, 0].item(), 0.125)
    logits[0, 0, 0].backward()
    # Half a cell to the right, a quarter of the action, would double it, if all frames did so.
    torch.testing.assert_close(
        actions.grad[0], torch.tensor([0.0, 0.125 / 0.25 / NUM_GLANCES]).expand(NUM_GLANCES, 2))


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize('num_focus', [1, NUM_FOCUS])
def test_cost(batch_size, num_focus):
    model = build(test_cfg=dict(num_focus=num_focus))
    for sample in check_cost(model, batch_size):
        assert sample.frames_encoded == NUM_GLANCES and sample.frames_focused == num_focus


def test_video_alone():
    check_alone(build())


@pytest.mark.parametrize('random_patch', [True, False])
def test_training(random_patch):
    check_training(build(train_cfg=dict(random_patch=random_patch, num_samples=8)))


def test_errors():
    with pytest.raises(ValueError, match='num_glances=5 must divide num_frames=12'):
        build(num_glances=5)
    with pytest.raises(ValueError, match=r'num_focus=13 must be in 1\.\.12'):
        build(num_focus=13)
    with pytest.raises(ValueError, match=r'num_focus=4 must be in 1\.\.3'):
        build(test_cfg=dict(num_focus=4))
    model = build(spatial_policy=dict(type='SpatialPolicy', feature_size=7)).eval()
    with pytest.raises(ValueError, match='feature_size=7, but the maps of f_G are 4 x 4'):
        model.predict(*batch(1, NUM_FRAMES))


def test_published_cost():
    """27.2 GMACs at P = 128, of an executed prediction, and what they are made of."""
    model = build_model(read_config(str(CONFIG)))
    imgs = torch.randn(1, 48, 3, 224, 224)
    units = model.unit_macs(imgs, None)
    predicted = []
    executed = count_macs(lambda: predicted.extend(model.predict(imgs, [ActionDataSample()])))
    assert predicted[0].gmacs * 1e9 == pytest.approx(executed, abs=1)
    assert executed / 1e9 == pytest.approx(27.2, abs=0.05)
    # MobileNetV2 and ResNet-50, and a linear layer to 4096 each.
    assert units['glance'] == 299_494_272 + 1280 * 4096
    assert units['focus'] == 1_334_575_104 + 2048 * 4096
    assert units['decide'] == 8192 * 200
    policies = 16 * 49 * (1280 * 128 + 2 * 27 * 128 * 128 + 2 * 128)
    assert units['policies'] == policies + 16 * (3 * 1280 * 64 + 3 * 64 * 64 + 64)
