"""OCSampler: selection, frozen classifier, FrameExit's weights, learning, its published cost."""

from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import load_checkpoint
from torch import nn

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.cost import count_macs
from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.backbones import GlanceMobileNetV2, GlanceMobileNetV2TSM
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIG = Path(__file__).parents[3] / 'configs' / 'ocsampler' / 'ocsampler_mn2_r50_anet.py'
T = 6
CLASSIFIER = dict(
    num_frames=T,
    backbone=dict(type='ConvStack', channels=(8, 16), strides=(4, 4)),
    cls_head=dict(
        type='PoolingHead', num_classes=NUM_CLASSES, in_channels=16, hidden_channels=12))


def tiny(num_focus=2, **changes):
    config = dict(
        **CLASSIFIER, type='OCSampler', sampler_channels=10, sampler_size=8,
        sampler=dict(type='ConvStack', channels=(6, 10), strides=(2, 2)),
        subset_loss=dict(type='SubsetPolicyLoss'),
        train_cfg=dict(num_focus=num_focus), test_cfg=dict(num_focus=num_focus))
    return MODELS.build({**config, **changes})


def frame_exit(**changes):
    return MODELS.build({**dict(
        **CLASSIFIER, type='FrameExit', gate=dict(type='ExitGate', hidden_channels=(8, 4)),
        exit_loss=dict(type='ExitLoss', beta=0.1)), **changes})


class Brightness(nn.Module):
    """A sampler whose features are the frames' brightness, and which notes the frames."""

    def forward(self, frames):
        self.seen = frames[:, 0, 0, 0]
        return frames[:, :1].expand(-1, 10, -1, -1)


def watched(num_focus):
    """A sampler that likes bright frames, on two videos of plain frames."""
    model = tiny(num_focus).eval()
    model.sampler = Brightness()
    with torch.no_grad():
        model.score.weight.fill_(0.1)
    values = torch.tensor([[0., 5, 2, 4, 1, 3], [9, 1, 8, 2, 7, 3]])
    return model, values[..., None, None, None].expand(-1, -1, 3, 32, 32)


def test_the_brightest_frames_are_selected():
    model, imgs = watched(num_focus=3)
    answer = model.answer(imgs, None)
    assert answer.details['selected'].tolist() == [[1, 3, 5], [0, 2, 4]]
    # The score is the mean of ten tenths of the brightness, a softmax of which is the policy.
    torch.testing.assert_close(answer.details['saliency'], imgs[:, :, 0, 0, 0].softmax(dim=1))
    # The sampler saw them in time order.
    order = coarse_to_fine_order(T)
    in_time = [imgs[b, order.index(t), 0, 0, 0].item() for b in range(2) for t in range(T)]
    assert model.sampler.seen.tolist() == in_time


def test_the_step_of_n_frames_classifies_the_maximum():
    model, imgs = watched(num_focus=3)
    embedded = model.embed(imgs)
    pooled = embedded[0, [1, 3, 5]].amax(dim=0)
    expected = model.cls_head.classifier.steps[2](pooled)
    torch.testing.assert_close(model.answer(imgs, None).logits[0], expected)


@pytest.mark.parametrize('num_focus', [1, 4, T])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_executes_what_it_states(batch_size, num_focus):
    for sample in check_cost(tiny(num_focus), batch_size):
        assert sample.frames_encoded == T and sample.frames_focused == num_focus
        assert sample.selected.shape == (num_focus, ) and sample.saliency.shape == (T, )


def test_scores_do_not_depend_on_the_batch():
    check_alone(tiny())


def test_training_leaves_the_classifier_alone():
    model = tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = check_training(model, frozen=('backbone', 'cls_head'))
    assert set(losses) == {'loss_policy', 'loss_entropy', 'reward', 'baseline'}
    torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.1).step()
    changed = {name.split('.')[0] for name, value in model.state_dict().items()
               if not torch.equal(value, before[name])}
    assert changed == {'sampler', 'score'}  # BN statistics included


def test_it_learns_which_frames_to_take():
    """Only frame 4 shows the class; by policy gradient alone it comes to be chosen."""
    torch.manual_seed(1)
    model = tiny(1, subset_loss=dict(type='SubsetPolicyLoss', entropy_weight=0.01))
    model.sampler = nn.Conv2d(3, 10, 1)
    imgs, samples = batch(8, T)
    imgs[:, :, 1:] = 0
    imgs[:, :, 0] = 0.0
    imgs[:, 4, 0] = 1.0
    labels = torch.tensor([int(sample.gt_label) for sample in samples])
    seen = nn.functional.one_hot(labels, NUM_CLASSES).float()

    def embed(frames):
        return torch.stack([seen * (frames[:, n, 0, 0, :1] > 0.5) for n in range(T)], dim=1)

    model.embed = embed
    model.classify = lambda embedded: 4 * embedded.amax(dim=1, keepdim=True)
    optimizer = torch.optim.Adam([*model.sampler.parameters(), *model.score.parameters()], lr=0.02)
    for _ in range(60):
        losses = model.loss(imgs, samples)
        optimizer.zero_grad()
        (losses['loss_policy'] + losses['loss_entropy']).backward()
        optimizer.step()
    assert model.skim(imgs).exp()[:, 4].min() > 0.9


def test_entropy_bonus_runs_out():
    model = tiny()
    hub = MessageHub.get_current_instance()
    hub.update_info('iter', 75)
    hub.update_info('max_iters', 100)
    try:
        assert model._remaining() == 0.25
    finally:
        hub.pop_info('iter')
        hub.pop_info('max_iters')
    assert model._remaining() == 1


def test_weights_of_frame_exit(tmp_path):
    """By the loading that ``load_from`` uses, which is not strict."""
    source, path = frame_exit(), str(tmp_path / 'frame_exit.pth')
    source.loss(*batch(4, T))  # moves the BN statistics
    torch.save(dict(state_dict=source.state_dict()), path)
    model = tiny()
    load_checkpoint(model, path)
    own, theirs = model.state_dict(), source.state_dict()
    names = [name for name in own if name.startswith(('backbone', 'cls_head'))]
    assert len(names) > 20 and all(torch.equal(own[name], theirs[name]) for name in names)
    # Its own checkpoint, too.
    own_path = str(tmp_path / 'own.pth')
    torch.save(dict(state_dict=model.state_dict()), own_path)
    load_checkpoint(tiny(), own_path, strict=True)


def test_checkpoints_without_the_classifier_are_refused(tmp_path):
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict=nn.Linear(2, 2).state_dict()), path)
    with pytest.raises(ValueError, match=r"lacks 28 of the 28 tensors of OCSampler's classifier"):
        load_checkpoint(tiny(), path)
    narrow = dict(CLASSIFIER['cls_head'], num_classes=4)
    torch.save(dict(state_dict=frame_exit(cls_head=narrow).state_dict()), path)
    with pytest.raises(ValueError, match=r'lacks 12 of .* cls_head\.classifier\.steps\.0\.weight'):
        load_checkpoint(tiny(), path)


def test_an_untrained_classifier_is_told_once(monkeypatch):
    told = []
    monkeypatch.setattr('avgn_mm.models.recognizers.oc_sampler.print_log',
                        lambda message, *_: told.append(message))
    model = tiny()
    for _ in range(2):
        model.loss(*batch(2, T))
    assert len(told) == 1 and 'never trained' in told[0] and 'load_from' in told[0]
    trained = tiny()
    trained.cls_head.classifier.norm.num_batches_tracked += 1
    trained.loss(*batch(2, T))
    assert len(told) == 1


@pytest.mark.parametrize('size', [None, 0, T + 1])
def test_set_sizes_are_checked(size):
    with pytest.raises(ValueError, match=rf'train_cfg\.num_focus={size} must be in 1\.\.6'):
        tiny(train_cfg=dict(num_focus=size))


@torch.no_grad()
def test_shifted_network_reads_the_same_weights(tmp_path):
    plain = GlanceMobileNetV2()
    plain.init_weights()
    path = tmp_path / 'mobilenet.pth'
    torch.save(plain.state_dict(), path)
    shifted = GlanceMobileNetV2TSM(
        num_segments=3, shift_div=8, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    shifted.init_weights()
    plain.eval()
    shifted.eval()
    assert all(torch.equal(a, b) for a, b in zip(
        plain.state_dict().values(), shifted.state_dict().values()))
    # A frame reaches its neighbours, and only those of its video of three frames.
    frames = torch.randn(6, 3, 64, 64)
    other = frames.clone()
    other[2] += 1
    for network, reached in ((plain, [2]), (shifted, [0, 1, 2])):
        change = (network(frames) - network(other)).abs().amax(dim=(1, 2, 3))
        assert change.nonzero().flatten().tolist() == reached


@torch.no_grad()
@pytest.mark.parametrize('num_focus, low, high', [(4, 17.3, 17.5), (5, 21.4, 21.7),
                                                  (6, 25.5, 25.8)])
def test_published_cost(num_focus, low, high, published):
    imgs, units, model = published
    model.test_cfg.update(num_focus=num_focus)
    calls = {'sampler': 1, 'backbone.frame': num_focus, 'cls_head.frame': num_focus,
             'cls_head.output': 1}
    assert low <= sum(units[part] * n for part, n in calls.items()) / 1e9 <= high
    if num_focus == 4:
        executed = count_macs(lambda: model.answer(imgs, None))
        assert executed == sum(units[part] * n for part, n in calls.items())


@pytest.fixture(scope='module')
def published():
    model = build_model(read_config(str(CONFIG)))
    imgs = torch.randn(1, 10, 3, 224, 224)
    units = model.unit_macs(imgs, None)
    assert units['sampler'] == 10 * (97_794_048 + 1280)
    return imgs, units, model
