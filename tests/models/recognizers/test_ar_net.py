"""AR-Net: the draw and its gradient, skips, the losses on computation, and its experts' costs."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.recognizers.ar_net import draw_actions, efficiency_losses, mean_of_chosen
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIG = Path(__file__).parents[3] / 'configs' / 'arnet' / 'arnet_mn2_r50_anet.py'
NUM_FRAMES = 8
# Actions of the tiny model: experts at 32 and 16 px, the policy network at 8 px, three skips.
BIG, MIDDLE, LIGHT, SKIP_1, SKIP_2, SKIP_4 = range(6)


def build(**changes):
    return MODELS.build(dict(dict(
        type='ARNet',
        num_frames=NUM_FRAMES,
        visual_channels=16,
        image_size=8,
        embed_dims=12,
        backbone=dict(type='ConvStack', channels=(8, 16), strides=(2, 2)),
        experts=[
            dict(backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
                 channels=24, image_size=32),
            dict(backbone=dict(type='ConvStack', channels=(8, 20), strides=(2, 2)),
                 channels=20, image_size=16),
        ],
        cls_head=dict(type='FrameHead', num_classes=NUM_CLASSES)), **changes))


def prescribe(monkeypatch, model, plans):
    """Make the policy's action at time t of video b be ``plans[b][t]``, written in the pixels.

    The policy network sees only the frames' brightness, in a tensor that a test can set.
    """
    imgs, samples = batch(len(plans), NUM_FRAMES)
    order = torch.tensor(coarse_to_fine_order(NUM_FRAMES))
    imgs[:, :, :, 0, 0] = torch.tensor(plans).float()[:, order, None]
    glance = model.glance
    seen = []

    def glance_and_note(frames):
        seen.append(frames[:, 0, 0, 0].long())
        return glance(frames)

    num_actions = model.fc_action.out_features
    monkeypatch.setattr(model, 'glance', glance_and_note)
    monkeypatch.setattr(model.fc_action, 'forward',
                        lambda hidden: 50 * F.one_hot(seen[-1], num_actions).float())
    return imgs, samples, seen


def test_straight_through_gradient():
    """Forwards one-hot; backwards the softmax of (logits + noise) / tau, by hand."""
    logits = torch.tensor([[0.2, -0.4, 0.7]], requires_grad=True)
    tau, values = 2.0, torch.tensor([1.0, 3.0, -2.0])
    torch.manual_seed(3)
    drawn = draw_actions(logits, tau)
    torch.manual_seed(3)
    noise = -torch.empty(1, 3).exponential_().log()
    soft = ((logits.detach() + noise) / tau).softmax(dim=1)
    assert drawn.tolist() == F.one_hot(soft.argmax(dim=1), 3).tolist()
    (drawn @ values).sum().backward()
    # d/dx_j of sum_i s_i v_i is s_j (v_j - mean) / tau.
    torch.testing.assert_close(logits.grad, soft * (values - soft @ values) / tau)


def test_odds_of_the_draw_are_the_policys():
    chances = torch.tensor([0.6, 0.3, 0.1])
    for tau in (0.5, 5.0):
        share = draw_actions(chances.log().expand(20_000, -1), tau).mean(dim=0)
        torch.testing.assert_close(share, chances, atol=0.02, rtol=0)


def test_mean_over_the_frames_that_were_not_skipped():
    logits = torch.arange(1.0, 13).view(1, 3, 2, 2)
    chosen = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    video = mean_of_chosen(logits, chosen)
    torch.testing.assert_close(video, torch.tensor([[6.0, 7.0]]))
    video[0, 0].backward()
    # Another choice moves the mean by (its logit - the mean) / 2.
    torch.testing.assert_close(chosen.grad, (logits[..., 0] - 6) / 2)
    assert not mean_of_chosen(logits, torch.zeros_like(chosen)).any()


def test_losses_on_computation_by_hand():
    # Two videos of two frames: the shares of three actions are 1/2, 1/4, 1/4.
    actions = F.one_hot(torch.tensor([[0, 1], [2, 0]]), 3).float().requires_grad_()
    computation, unevenness = efficiency_losses(actions, torch.tensor([4.0, 2.0, 0.0]))
    torch.testing.assert_close(computation.item(), 2.5)
    # Distances from 1/3: 1/6, -1/12, -1/12.
    torch.testing.assert_close(unevenness.item(), (1 / 36 + 2 / 144)**0.5)
    computation.backward()
    torch.testing.assert_close(actions.grad[1, 1], torch.tensor([1.0, 0.5, 0.0]))


def test_what_an_action_costs():
    model = build()
    imgs, _ = batch(1, NUM_FRAMES)
    units = model.unit_macs(imgs, None)
    policy = units['policy']
    # 8 px in two strides, then a linear layer; the LSTM's four gates; six actions.
    assert policy == (9 * 3 * 8 * 16 + 9 * 8 * 16 * 4) + 4 * 12 * (16 + 12) + 12 * 6
    assert units['expert_2'] == 16 * NUM_CLASSES
    assert units['expert_0'] == 9 * 3 * 8 * 256 + 9 * 8 * 24 * 16 + 24 * NUM_CLASSES
    expected = [policy + units[f'expert_{i}'] for i in range(3)] + [policy, policy / 2, policy / 4]
    torch.testing.assert_close(model.action_gmacs(imgs) * 1e9, torch.tensor(expected).float())


def test_skips_hold_for_their_length_and_freeze_the_state(monkeypatch):
    model = build().eval()
    # What stands where a frame is skipped is never read; 4 is cut off by the end of the video.
    plans = [[BIG, SKIP_2, BIG, SKIP_1, LIGHT, SKIP_4, BIG, BIG],
             [SKIP_4, BIG, BIG, BIG, SKIP_1, MIDDLE, MIDDLE, SKIP_2]]
    imgs, _, seen = prescribe(monkeypatch, model, plans)
    actions, read, _ = model.choose(imgs)
    assert actions.tolist() == [
        [BIG, SKIP_2, SKIP_2, SKIP_1, LIGHT, SKIP_4, SKIP_4, SKIP_4],
        [SKIP_4, SKIP_4, SKIP_4, SKIP_4, SKIP_1, MIDDLE, MIDDLE, SKIP_2]]
    assert read.int().tolist() == [[1, 1, 0, 1, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1, 1, 1]]
    # Both videos at first, then those that do not skip.
    assert [len(frames) for frames in seen] == [2, 1, 1, 2, 2, 1, 1]

    # A video without its skipped frames leaves the LSTM in the same state.
    states = []
    model.lstm.register_forward_hook(lambda *args: states.append(args[2][0]))
    model.choose(imgs[:1])
    frames = imgs[0, model.places[[0, 1, 3, 4, 5]]]
    state = None
    for found, feat in zip(states, model.glance(frames)):
        state = nn.LSTMCell.forward(model.lstm, feat[None], state)
        torch.testing.assert_close(found, state[0])


def test_training_skips_as_testing_does(monkeypatch):
    model = build()
    plans = torch.tensor([[BIG, SKIP_2, BIG, SKIP_1, LIGHT, SKIP_4, BIG, BIG],
                          [SKIP_4, BIG, BIG, BIG, SKIP_1, MIDDLE, MIDDLE, SKIP_2]])
    feats = torch.randn(2, NUM_FRAMES, 16)
    states, times = [], iter(range(NUM_FRAMES))

    def policy(hidden):
        states.append(hidden)
        return 1000.0 * F.one_hot(plans[:, next(times)], 6)

    monkeypatch.setattr(model.fc_action, 'forward', policy)
    drawn = model.draw(feats).argmax(dim=-1)
    assert drawn.tolist() == [
        [BIG, SKIP_2, SKIP_2, SKIP_1, LIGHT, SKIP_4, SKIP_4, SKIP_4],
        [SKIP_4, SKIP_4, SKIP_4, SKIP_4, SKIP_1, MIDDLE, MIDDLE, SKIP_2]]
    state = None
    for t in (0, 1, 3, 4, 5):
        state = nn.LSTMCell.forward(model.lstm, feats[:1, t], state)
        torch.testing.assert_close(states[t][:1], state[0])


def test_each_frame_runs_its_expert_only(monkeypatch):
    model = build().eval()
    plans = [[BIG, SKIP_2, BIG, MIDDLE, LIGHT, SKIP_4, BIG, BIG], [SKIP_4] * NUM_FRAMES]
    imgs, samples, _ = prescribe(monkeypatch, model, plans)
    sizes = [[], []]
    for expert, found in zip(model.experts, sizes):
        expert.backbone.register_forward_pre_hook(
            lambda _, args, found=found: found.append(args[0].shape))
    model.unit_macs(imgs, None)
    for found in sizes:
        found.clear()
    first, second = model.predict(imgs, samples)
    assert sizes == [[(1, 3, 32, 32)], [(1, 3, 16, 16)]]
    frames = imgs[0, model.places[[0, 3, 4]]]
    logits = [model.experts[0](frames[:1]), model.experts[1](frames[1:2]),
              model.cls_head(model.glance(frames[2:]))]
    torch.testing.assert_close(first.pred_score, torch.cat(logits).mean(dim=0).softmax(dim=0))
    assert first.selected.tolist() == model.places[[0, 3, 4]].tolist()
    assert (first.frames_encoded, first.frames_focused) == (5, 2)
    # Nothing to say of a video that is skipped as a whole.
    torch.testing.assert_close(second.pred_score, torch.full((NUM_CLASSES, ), 1 / NUM_CLASSES))
    assert (second.frames_encoded, second.frames_focused, len(second.selected)) == (2, 0, 0)
    units = model.unit_macs(imgs, None)
    assert second.gmacs * 1e9 == pytest.approx(2 * units['policy'])


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize('scale', [0.0, 60.0])
def test_cost(batch_size, scale):
    """All alike, or different for each frame."""
    torch.manual_seed(batch_size)
    model = build()
    with torch.no_grad():
        model.fc_action.weight.mul_(scale)
    check_cost(model, batch_size)


def test_video_alone():
    torch.manual_seed(1)
    model = build()
    with torch.no_grad():
        model.fc_action.weight.mul_(60)
    check_alone(model)


def test_training():
    """Every expert is trained, drawn or not, if it is trained beside."""
    losses = check_training(build(train_cfg=dict(experts_weight=1)))
    assert set(losses) == {'loss_cls', 'loss_gmacs', 'loss_balance', 'loss_experts', 'top1_acc',
                           'frame_gmacs'}
    losses = build().loss(*batch(2, NUM_FRAMES))
    assert 'loss_experts' not in losses
    torch.testing.assert_close(losses['loss_gmacs'].detach(), 0.05 * losses['frame_gmacs'])


def test_errors():
    with pytest.raises(ValueError, match=r'skips=\(0, 2\) must each be at least 1'):
        build(skips=(0, 2))


def test_published_costs_of_the_experts():
    """4.11, 2.25, 0.487 and 0.0526 GMACs, with two operations for each element of a BN's output.

    That is how the authors' counter of 2020 has it; pure multiply-accumulates are less.
    """
    model = build_model(read_config(str(CONFIG)))
    imgs = torch.zeros(1, 16, 3, 224, 224)
    normalised = [0]
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(
                lambda *args: normalised.__setitem__(-1, normalised[-1] + args[2].numel()))
    with torch.no_grad():
        units = model.unit_macs(imgs, None)
        normalised.clear()
        for run in (*model.experts, model.glance):
            normalised.append(0)
            run(imgs[:, 0])
    fc = [2048 * 200, 512 * 200, 512 * 200, 1280 * 200]
    lstm = 4 * 512 * (1280 + 512) + 512 * 7
    pure = [units['expert_0'], units['expert_1'], units['expert_2'],
            units['policy'] - lstm + units['expert_3']]
    # The convolutions and the linear layer.
    assert pure == [4_087_136_256 + fc[0], 2_244_439_040 + fc[1], 484_847_616 + fc[2],
                    50_356_992 + fc[3]]
    assert units['expert_3'] == fc[3]
    with_norms = [macs + 2 * elements for macs, elements in zip(pure, normalised)]
    for macs, published in zip(with_norms, (4.11, 2.25, 0.487, 0.0526)):
        assert macs / 1e9 == pytest.approx(published, rel=2e-3)
