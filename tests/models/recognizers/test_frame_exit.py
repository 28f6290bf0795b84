"""FrameExit: pseudo-labels, running max, exit order, its published cost."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.cost import count_macs
from avgn_mm.models.losses import ExitLoss, exit_target
from avgn_mm.models.necks import ExitGate
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIG = Path(__file__).parents[3] / 'configs' / 'frameexit' / 'frameexit_r50_anet.py'
T = 5


def tiny(**changes):
    config = dict(
        type='FrameExit', num_frames=T,
        backbone=dict(type='ConvStack', channels=(8, 16), strides=(4, 4)),
        cls_head=dict(type='PoolingHead', num_classes=NUM_CLASSES, in_channels=16,
                      hidden_channels=12),
        gate=dict(type='ExitGate', hidden_channels=(8, 4)),
        exit_loss=dict(type='ExitLoss', beta=0.3))
    return MODELS.build({**config, **changes})


class Threshold(nn.Module):
    """A gate that says exit where the pooled features' sum is greater; notes what it is asked."""

    def __init__(self, least):
        super().__init__()
        self.least = least
        self.asked = []

    def forward(self, pooled, previous):
        self.asked.append((pooled, previous))
        return pooled.sum(dim=1) - self.least


@pytest.fixture
def plain():
    """Videos whose frames' embeddings are written in their pixels; gates by a threshold.

    After t frames the sum of the pooled features of the three videos is
    2 3 3 5 6, 2 3 4 4 4 and 7 7 7 7 7; gates let pass what is above 3.5.
    """
    model = tiny().eval()
    embedded = torch.tensor([
        [[2., 0], [0, 1], [1, 1], [0, 3], [3, 0]],
        [[0, 2.], [1, 0], [2, 1], [2, 0], [0, 0]],
        [[7., 0], [0, 0], [0, 0], [0, 0], [0, 0]]])
    model.embed = lambda frames: frames.flatten(2)[:, :, :2]
    imgs = torch.zeros(3, T, 3, 4, 4)
    imgs.flatten(2)[:, :, :2] = embedded
    # The logits after t frames are the pooled features themselves, times ten, and t.
    model.cls_head.classifier.classify = lambda pooled, first_step=0: torch.cat((
        10 * pooled, torch.full_like(pooled[..., :1], first_step)), dim=-1)
    model.cls_head.num_classes = 3
    model.gates = nn.ModuleList(Threshold(3.5) for _ in range(T - 2))
    return model, imgs


def test_videos_exit_in_their_turn(plain):
    model, imgs = plain
    model.test_cfg.update(first_exit_confidence=1.0)  # not even 1 is more
    answer = model.answer(imgs, None)
    # Video 2 is let pass by the first gate, after two frames.
    assert answer.details['exit_step'] == [4, 3, 2]
    assert [index.tolist() for index in answer.details['selected']] == [
        [0, 1, 2, 3], [0, 1, 2], [0, 1]]
    # The running maximum, and the step whose linear layer was used.
    assert answer.logits.tolist() == [[20, 30, 3], [20, 20, 2], [70, 0, 1]]
    assert answer.calls[0] == {
        'backbone.frame': 4, 'cls_head.frame': 4, 'gate': 3, 'cls_head.output': 2}
    # Finished videos have left the batch.
    assert [len(gate.asked[0][0]) for gate in model.gates] == [3, 2, 1]
    pooled, previous = model.gates[1].asked[0]
    assert pooled.tolist() == [[2, 1], [2, 2]] and previous.tolist() == [[2, 1], [1, 2]]


def test_a_sure_first_frame_is_enough(plain):
    model, imgs = plain
    imgs[0, 0, 0, 0, 0] = 0.2  # Logits 2, 0, 0: e^2 / (e^2 + 2) = 0.787.
    model.test_cfg.update(first_exit_confidence=0.78)
    assert model.answer(imgs, None).details['exit_step'] == [1, 1, 1]
    model.test_cfg.update(first_exit_confidence=0.79)
    answer = model.answer(imgs, None)
    assert answer.details['exit_step'] == [4, 1, 1]
    assert answer.calls[1] == {
        'backbone.frame': 1, 'cls_head.frame': 1, 'gate': 0, 'cls_head.output': 1}


def test_the_last_frame_ends_it(plain):
    model, imgs = plain
    model.gates = nn.ModuleList(Threshold(8) for _ in range(T - 2))
    model.test_cfg.update(first_exit_confidence=1.0)
    answer = model.answer(imgs, None)
    assert answer.details['exit_step'] == [T, T, T]
    assert [len(gate.asked) for gate in model.gates] == [1, 1, 1]  # none after the last frame
    assert answer.calls[0]['gate'] == T - 2
    assert answer.logits[0].tolist() == [30, 30, 4]


def test_fixed_number_of_frames(plain):
    model, imgs = plain
    model.test_cfg.update(num_focus=3)
    answer = model.answer(imgs, None)
    assert answer.logits.tolist() == [[20, 10, 2], [20, 20, 2], [70, 0, 2]]
    assert 'exit_step' not in answer.details and not any(gate.asked for gate in model.gates)
    assert answer.details['frames_focused'] == [3, 3, 3]
    model.test_cfg.update(num_focus=T + 1)
    with pytest.raises(ValueError, match=r'num_focus=6 must be in 1\.\.5'):
        model.answer(imgs, None)


@pytest.mark.parametrize('test_cfg', [
    dict(first_exit_confidence=0.0), dict(first_exit_confidence=1.0), dict(num_focus=3)])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_executes_what_it_states(batch_size, test_cfg):
    check_cost(tiny(test_cfg=test_cfg), batch_size)


def test_mixed_exits_cost_what_they_execute():
    model = tiny(test_cfg=dict(first_exit_confidence=0.25))
    with torch.no_grad():
        for gate in model.gates:
            gate.exit.bias.zero_()
            gate.exit.weight[:, ::2].abs_()  # some say yes and some no
            gate.exit.weight[:, 1::2].abs_().neg_()
    steps = {sample.exit_step for sample in check_cost(model, 12)}
    assert len(steps) > 1
    check_alone(model, batch_size=6)


def test_k_frames_give_the_head_s_step_k():
    """What is answered after k frames is what training classifies at step k."""
    model = tiny().eval()
    imgs, _ = batch(2, T)
    feats = [model.backbone(imgs[:, t]).mean(dim=(2, 3)) for t in range(T)]
    all_steps = model.cls_head(torch.stack(feats, dim=1))
    for k in range(1, T + 1):
        model.test_cfg.update(num_focus=k)
        torch.testing.assert_close(model.answer(imgs, None).logits, all_steps[:, k - 1])


def test_training():
    losses = check_training(tiny())
    assert set(losses) == {'loss_cls', 'loss_gate'}


def test_gates_teach_the_network_nothing():
    model = tiny().train()
    model.loss(*batch(4, T))['loss_gate'].backward()
    touched = {name.split('.')[0] for name, p in model.named_parameters() if p.grad is not None}
    assert touched == {'gates'}


def test_pseudo_labels():
    beta = 0.1
    # 0.1 * exp(t / 2) for t = 1..4.
    limits = [0.16487, 0.27183, 0.44817, 0.73891]
    assert limits == pytest.approx([beta * math.exp(t / 2) for t in (1, 2, 3, 4)], abs=1e-5)
    losses = torch.tensor([[0.16, 0.28, 0.44, 0.74], [0.17, 0.27, 0.45, 0.73]])
    assert exit_target(losses, beta).tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_exit_loss_by_hand():
    # Probabilities 0.8 and 0.2 of class 0: losses 0.2231 and 1.6094 after each of 4 frames.
    logits = torch.tensor([0.8, 0.2]).log()
    step_logits = torch.stack((logits, logits.flip(0)))[:, None].expand(2, 4, 2)
    labels = torch.tensor([0, 0])
    gate_logits = torch.tensor([[math.log(3), 0.], [math.log(3), -math.log(3)]])
    # Limits at t = 2, 3 are 0.27183 and 0.44817: video 0 may exit, video 1 must not.
    loss = ExitLoss(beta=0.1, loss_weight=2.0)(gate_logits, step_logits, labels)
    expected = 2 * -(math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 4) + math.log(3 / 4)) / 4
    assert loss.item() == pytest.approx(expected)
    both = torch.tensor([[0.5, 0.5], [0.5, 0.5]])  # Loss 0.9163 after each: nobody may exit.
    loss = ExitLoss(beta=0.1)(torch.zeros(2, 2), step_logits, both)
    assert loss.item() == pytest.approx(math.log(2))


def test_gate_shares_its_layers():
    gate = ExitGate(in_channels=6, hidden_channels=(4, 3))
    gate.eval()
    pooled, previous = torch.rand(2, 6), torch.rand(2, 6)
    with torch.no_grad():
        gate.exit.weight[:, 3:] = 0
        assert torch.equal(gate(pooled, previous), gate(pooled, pooled))
        gate.exit.weight[:, 3:] = gate.exit.weight[:, :3]
        torch.testing.assert_close(gate(pooled, previous), gate(previous, pooled))


def test_too_few_frames():
    with pytest.raises(ValueError, match='num_frames=2: FrameExit needs at least 3'):
        tiny(num_frames=2)


@torch.no_grad()
def test_published_cost():
    """4.09 to 4.12 GMACs a frame; the MLP and the gates, which we count, add 0.01."""
    model = build_model(read_config(str(CONFIG)))
    imgs = torch.randn(1, 10, 3, 224, 224)
    units = model.unit_macs(imgs, None)
    assert units['backbone.frame'] == 4_087_136_256
    assert units['cls_head.frame'] == 2048 * 4096
    assert units['gate'] == 2 * (4096 * 128 + 128 * 64) + 2 * 64
    assert units['cls_head.output'] == 4096 * 200
    per_frame = (units['backbone.frame'] + units['cls_head.frame'] + units['gate']) / 1e9
    assert 4.09 <= per_frame <= 4.12
    model.test_cfg.update(num_focus=2)
    answered = []
    executed = count_macs(lambda: answered.append(model.answer(imgs, None)))
    assert executed == sum(units[part] * n for part, n in answered[0].calls[0].items())
