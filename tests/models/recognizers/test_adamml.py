"""AdaMML: the draw and its gradient, what decides at test, fusion, the cost of use, exact cost."""

from pathlib import Path

import pytest
import torch

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.models.recognizers.adamml import decide_uses, draw_uses, fuse, usage_loss
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIG = Path(__file__).parents[3] / 'configs/adamml/adamml_mn2_r50_anet.py'
NUM_FRAMES = 8


def build(**changes):
    return MODELS.build({**dict(
        type='AdaMML',
        num_frames=NUM_FRAMES,
        backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
        cls_head=dict(type='FrameHead', num_classes=NUM_CLASSES, in_channels=24),
        audio_backbone=dict(type='ConvStack', in_channels=1, channels=(8, 12), strides=(4, 4)),
        audio_head=dict(type='FrameHead', num_classes=NUM_CLASSES, in_channels=12),
        policy=dict(
            type='ModalityPolicy',
            backbone=dict(type='ConvStack', channels=(8, ), strides=(2, )),
            audio_backbone=dict(type='ConvStack', in_channels=1, channels=(6, ), strides=(4, )),
            visual_channels=8, audio_channels=6, image_size=8, hidden_channels=10,
            embed_dims=12)), **changes})


def prescribe(monkeypatch, model, uses):
    """Let the policy want what ``uses`` (B, T, 2) says; it works all the same.

    The first value of the frames' tensor numbers the videos, as a batch may hold some of them.
    """
    forward = model.policy.forward
    logits = torch.stack((-uses.float(), uses.float()), dim=-1)

    def prescribed(imgs, audios):
        forward(imgs, audios)
        return logits[imgs[:, 0, 0, 0, 0].long()]

    monkeypatch.setattr(model.policy, 'forward', prescribed)


def test_straight_through_gradient_by_hand():
    logits = torch.tensor([[0.3, -0.2], [-1.0, 0.5]], requires_grad=True)
    tau, weight = 2.0, torch.tensor([3.0, -4.0])
    torch.manual_seed(5)
    uses = draw_uses(logits, tau)
    torch.manual_seed(5)
    noise = -torch.empty(2, 2).exponential_().log()
    perturbed = logits.detach() + noise
    assert uses.tolist() == (perturbed[:, 1] > perturbed[:, 0]).float().tolist()
    (uses * weight).sum().backward()
    # Of two choices the soft draw is a sigmoid p of their difference over tau: dp = p (1 - p).
    p = ((perturbed[:, 1] - perturbed[:, 0]) / tau).sigmoid()
    slope = weight * p * (1 - p) / tau
    torch.testing.assert_close(logits.grad, torch.stack((-slope, slope), dim=1))


def test_decisions_by_hand():
    margins = torch.tensor([
        [[1.0, -1.0], [-0.5, 2.0]],   # each by its sign
        [[-3.0, -0.2], [-0.1, -9.0]],  # all of it skipped: the nearest to being used
        [[-1.0, -1.0], [-1.0, -1.0]],  # a tie: the first
    ])
    logits = torch.stack((torch.full_like(margins, 0.7), margins + 0.7), dim=-1)
    assert decide_uses(logits).int().tolist() == [
        [[1, 0], [0, 1]], [[0, 0], [1, 0]], [[1, 0], [0, 0]]]


def test_fusion_by_hand():
    # One video, two segments, two classes; the frame of the first, both of the second are used.
    logits = torch.tensor([[[[1.0, 2.0], [50.0, 60.0]], [[3.0, -1.0], [10.0, 0.0]]]])
    uses = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    fused = fuse(logits, uses, torch.tensor(0.8))
    # Halves of 0.8 * (1 + 3) + 0.2 * 10 and 0.8 * (2 - 1) + 0.
    torch.testing.assert_close(fused, torch.tensor([[2.6, 0.4]]))


def test_usage_loss_by_hand():
    uses = torch.tensor([
        [[1., 1], [0, 1], [0, 1], [0, 1]],  # 1/4 of the frames, all windows
        [[1., 0], [1, 0], [0, 0], [0, 0]],  # 1/2, none
        [[1., 1], [1, 1], [1, 1], [1, 1]]], requires_grad=True)
    correct = torch.tensor([True, True, False])
    loss = usage_loss(uses, correct, weights=(2.0, 0.5), error_penalty=10.0)
    assert float(loss.detach()) == pytest.approx(((2 / 16 + 0.5) + 2 / 4 + 10) / 3)
    loss.backward()
    # d/du of lambda (mean u)^2 is 2 lambda mean(u) / T; a wrong video feels nothing.
    frames, windows = uses.grad.unbind(dim=-1)
    torch.testing.assert_close(frames[:, 0], torch.tensor([2 * 2 / 4 / 4, 2 * 2 / 2 / 4, 0]) / 3)
    torch.testing.assert_close(windows[:, 0], torch.tensor([2 * 0.5 / 4, 0, 0]) / 3)


@pytest.mark.parametrize('batch_size', [1, 3])
def test_cost_and_independence(monkeypatch, batch_size):
    model = build()
    # Both, sight alone, sound alone, nothing.
    uses = torch.randint(2, (4, NUM_FRAMES, 2), dtype=torch.bool)
    uses[1, :, 1] = uses[2, :, 0] = uses[3] = False
    prescribe(monkeypatch, model, uses)
    for first in range(4):
        names = [(first + i) % 4 for i in range(batch_size)]
        monkeypatch.setattr('tests.rivals.batch', numbered(names))
        for name, sample in zip(names, check_cost(model, batch_size, audio=True)):
            frames, windows = uses[name].sum(dim=0).tolist()
            # The video of which nothing is wanted gets its first frame.
            expected = (1, 0) if name == 3 else (frames, windows)
            assert (sample.frames_focused, sample.windows_focused) == expected
            assert sample.frames_encoded == NUM_FRAMES
            wanted = uses[name, :, 0].nonzero()[:, 0].tolist() if name != 3 else [0]
            assert sorted(sample.selected.tolist()) == wanted


def numbered(names):
    """``tests.rivals.batch`` with each video's number written into its first pixel."""
    def make(batch_size, num_frames, audio=False):
        inputs, samples = batch(batch_size, num_frames, audio)
        inputs['imgs'][:, 0, 0, 0, 0] = torch.tensor(names[:batch_size])
        return inputs, samples

    return make


def test_alone(monkeypatch):
    model = build()
    prescribe(monkeypatch, model, torch.randint(2, (3, NUM_FRAMES, 2), dtype=torch.bool))
    monkeypatch.setattr('tests.rivals.batch', numbered(range(3)))
    check_alone(model, audio=True)
    monkeypatch.undo()
    check_alone(model, audio=True)  # with decisions of its own


def test_training():
    losses = check_training(build(), audio=True)
    assert set(losses) == {'loss_cls', 'loss_usage', 'top1_acc', 'frames_used', 'windows_used'}
    losses = check_training(build(train_cfg=dict(unimodal_weight=1.0)), audio=True)
    assert 'loss_unimodal' in losses


def test_several_labels():
    """A video counts as right if its best class is one of its own."""
    model = build(train_cfg=dict(usage_weights=(0.0, 0.0), error_penalty=3.0)).train()
    inputs, samples = batch(2, NUM_FRAMES, audio=True)
    for sample, label in zip(samples, ([1., 1, 1, 1, 0], [0., 0, 0, 0, 1])):
        sample.gt_label = torch.tensor(label)
    with torch.no_grad():
        for head in (model.cls_head, model.audio_head):
            head.fc_cls.weight.zero_()
            head.fc_cls.bias.copy_(torch.tensor([0, 5., 0, 0, 0]))
        model.policy.fc.weight.zero_()
        model.policy.fc.bias.copy_(torch.tensor([-99., 99, -99, 99]))
    losses = model.loss(inputs, samples)
    assert losses['loss_usage'].item() == 1.5 and float(losses['top1_acc']) == 0.5
    assert float(losses['frames_used']) == float(losses['windows_used']) == 1


def test_paper_size():
    """Units by hand, and an executed prediction of the whole."""
    model = build_model(read_config(str(CONFIG)))
    inputs = dict(imgs=torch.randn(1, 16, 3, 224, 224), audios=torch.randn(1, 16, 1, 96, 64))
    units = model.unit_macs(*model.unpack(inputs))
    resnet, mobilenet, audio = 4_087_136_256, 299_494_272, 35_788_032
    assert units['frame'] == resnet + 2048 * 200
    assert units['window'] == audio + 1280 * 200
    # At 160 px MobileNetV2's maps are (160 / 224)^2 as large, as both are multiples of 32.
    mlp_and_lstm = 2560 * 2048 + 2048 * 2048 + (2052 + 256) * 4 * 256 + 256 * 4
    assert units['policy'] == 16 * (mobilenet * 25 // 49 + audio + mlp_and_lstm)
    _, samples = batch(1, 1)
    with torch.no_grad():
        sample, = model.predict(inputs, samples)
    assert sample.gmacs * 1e9 == pytest.approx(
        units['policy'] + sample.frames_focused * units['frame']
        + sample.windows_focused * units['window'])
