"""The reference samplers: which frames they take, what the answer is made of, and its cost."""

from pathlib import Path

import pytest
import torch

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.models.recognizers.samplers import content_seed, uniform_times
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone, check_cost, check_training

CONFIGS = Path(__file__).parents[3] / 'configs'
NUM_FRAMES = 8
AUDIO = dict(
    audio_backbone=dict(type='ConvStack', in_channels=1, channels=(8, 12), strides=(4, 4)),
    audio_head=dict(type='FrameHead', num_classes=NUM_CLASSES, in_channels=12))


def build(kind, audio=False, **changes):
    config = dict(
        type=kind,
        num_frames=NUM_FRAMES,
        backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
        cls_head=dict(type='FrameHead', num_classes=NUM_CLASSES, in_channels=24),
        test_cfg=dict(num_focus=3))
    if kind == 'SCSampler':
        config.update(
            light_backbone=dict(type='ConvStack', channels=(8, 16), strides=(2, 2)),
            light_head=dict(type='FrameHead', num_classes=NUM_CLASSES, in_channels=16),
            light_size=8)
    return MODELS.build({**config, **(AUDIO if audio else {}), **changes})


def prescribe(monkeypatch, model, name, logits):
    """Let a classifier say ``logits`` (B, T, C) of the batch's frames, of which each is uniform.

    A frame's first value names it: 100 for the first frame of the second video.
    """
    def prescribed(values):
        number = values.flatten(2)[:, :, 0].long()
        return logits[number // 100, number % 100]

    monkeypatch.setattr(model, name, prescribed)


def named_batch(batch_size, num_frames=NUM_FRAMES):
    numbers = 100 * torch.arange(batch_size)[:, None] + torch.arange(num_frames)
    shape = (batch_size, num_frames, 1, 1, 1)
    return (numbers.view(shape).expand(-1, -1, 3, 32, 32).float(),
            numbers.view(shape).expand(-1, -1, 1, 24, 16).float())


@pytest.mark.parametrize('kind', ['Uniform', 'Random', 'SCSampler'])
@pytest.mark.parametrize('audio', [False, True])
def test_cost_and_independence(kind, audio):
    model = build(kind, audio)
    for batch_size in (1, 3):
        for sample in check_cost(model, batch_size, audio):
            assert len(set(sample.selected.tolist())) == sample.frames_focused == 3
            assert sample.frames_encoded == (NUM_FRAMES if kind == 'SCSampler' else 0)
    check_alone(model, audio)


@pytest.mark.parametrize('kind', ['Uniform', 'Random', 'SCSampler'])
@pytest.mark.parametrize('audio', [False, True])
def test_training(kind, audio):
    losses = check_training(build(kind, audio), audio)
    assert ('loss_audio' in losses) == audio and ('loss_light' in losses) == (kind == 'SCSampler')


@pytest.mark.parametrize('kind', ['Uniform', 'Random', 'SCSampler'])
def test_number_of_frames_in_training_and_at_test(kind):
    model = build(kind, train_cfg=dict(num_focus=5))
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    inputs, samples = batch(2, NUM_FRAMES)
    model.train().loss(inputs, samples)
    model.eval().answer(inputs, None)
    model.test_cfg['num_focus'] = 1
    model.answer(inputs, None)
    assert seen == [10, 6, 2]


def test_uniform_times():
    assert uniform_times(16, 4).tolist() == [2, 6, 10, 14]
    assert uniform_times(16, 3).tolist() == [2, 8, 13]  # 2.67, 8, 13.33
    assert uniform_times(10, 4).tolist() == [1, 3, 6, 8]  # 1.25, 3.75, 6.25, 8.75
    for k in range(1, 17):
        assert len(set(uniform_times(16, k).tolist())) == k
    assert uniform_times(16, 1).tolist() == [8]
    assert uniform_times(16, 16).tolist() == list(range(16))


def test_uniform_takes_time_from_the_tensors_order():
    model = build('Uniform', test_cfg=dict(num_focus=4)).eval()
    selected, _ = model.choose(torch.zeros(2, NUM_FRAMES, 3, 1, 1), None)
    order = coarse_to_fine_order(NUM_FRAMES)  # 3, 0, 7, 1, 5, 2, 4, 6
    assert [[order[i] for i in row] for row in selected.tolist()] == [[1, 3, 5, 7]] * 2
    # In training any frame of each of the four bins.
    drawn, _ = model.train().choose(torch.zeros(200, NUM_FRAMES, 3, 1, 1), None)
    times = torch.tensor(order)[drawn]
    assert torch.equal(times // 2, torch.arange(4).expand(200, -1))
    assert set(times.flatten().tolist()) == set(range(NUM_FRAMES))


def test_random_is_a_videos_own():
    model = build('Random').eval()
    imgs = torch.randn(40, NUM_FRAMES, 3, 4, 4)
    drawn, _ = model.choose(imgs, None)
    torch.manual_seed(7)  # The global generator has no part in it.
    assert torch.equal(model.choose(imgs.flip(0), None)[0], drawn.flip(0))
    assert torch.equal(model.choose(imgs[5:6], None)[0], drawn[5:6])
    assert len(drawn.unique(dim=0)) > 20
    assert drawn.unique().tolist() == list(range(NUM_FRAMES))
    model.test_cfg['num_focus'] = 5
    assert torch.equal(model.choose(imgs, None)[0][:, :3], drawn)
    # crc32 of twelve bytes of zeros.
    assert content_seed(torch.zeros(2, 3, 1, 1)) == 0x7BD5C66F
    trained = [model.train().choose(imgs[:1], None)[0].tolist() for _ in range(5)]
    assert len({tuple(row[0]) for row in trained}) > 1


@pytest.mark.parametrize('kind', ['Uniform', 'Random'])
def test_late_fusion(monkeypatch, kind):
    """The mean of both modalities' mean logits, over the same frames."""
    model = build(kind, audio=True).eval()
    visual, audio = torch.randn(2, 2, NUM_FRAMES, NUM_CLASSES)
    prescribe(monkeypatch, model, 'classify', visual)
    prescribe(monkeypatch, model, 'classify_audio', audio)
    answer = model.answer(*named_batch(2))
    for b, index in enumerate(answer.details['selected']):
        expected = (visual[b, index].sum(dim=0) / 3 + audio[b, index].sum(dim=0) / 3) / 2
        torch.testing.assert_close(answer.logits[b], expected)


# Greatest logits: 2 4 1 3 by sight, 5 1 1 1 by sound, 7 5 2 4 by both.
SIGHT = torch.tensor([[[2., 0], [-1, 4], [1, 0.5], [3, 2]]])
SOUND = torch.tensor([[[5., 3], [1, 0], [0, 1], [-2, 1]]])


@pytest.mark.parametrize('changes,saliency,selected', [
    (dict(audio=False), [2, 4, 1, 3], [1, 3]),
    (dict(audio=True), [7, 5, 2, 4], [0, 1]),
    # Ties keep the coarse-to-fine order.
    (dict(audio=True, light_backbone=None, light_head=None), [5, 1, 1, 1], [0, 1]),
])
def test_scsampler_by_hand(monkeypatch, changes, saliency, selected):
    model = build('SCSampler', num_frames=4, test_cfg=dict(num_focus=2), **changes).eval()
    heavy = torch.randn(1, 4, NUM_CLASSES)
    for name, logits in (('classify', heavy), ('classify_light', SIGHT),
                         ('classify_audio', SOUND)):
        prescribe(monkeypatch, model, name, logits)
    answer = model.answer(*named_batch(1, 4))
    assert answer.details['saliency'][0].tolist() == saliency
    assert answer.details['selected'][0].tolist() == selected
    assert answer.details['frames_encoded'] == [4 if model.light_backbone else 0]
    torch.testing.assert_close(answer.logits[0], heavy[0, selected].mean(dim=0))


def test_scsampler_hears_only():
    model = build('SCSampler', audio=True, light_backbone=None, light_head=None)
    assert check_cost(model, 2, audio=True)[0].frames_encoded == 0
    check_training(model, audio=True)


def test_scsampler_learns_to_rank():
    """The light network learns by the heavy network's order, which does not learn by its."""
    model = build('SCSampler', ranking_loss=dict(type='PairwiseRankingLoss', margin=1.0))
    inputs, samples = batch(4, NUM_FRAMES)
    losses = model.train().loss(inputs, samples)
    assert set(losses) == {'loss_cls', 'loss_ranking', 'top1_acc'}
    losses['loss_ranking'].backward()
    reached = {name.split('.')[0] for name, p in model.named_parameters() if p.grad is not None}
    assert reached == {'light_backbone', 'light_head'}


def test_errors():
    with pytest.raises(ValueError, match='audio_backbone and model.audio_head need each other'):
        build('Uniform', audio_backbone=AUDIO['audio_backbone'])
    with pytest.raises(ValueError, match='light_backbone and model.light_head need each other'):
        build('SCSampler', light_head=None)
    with pytest.raises(ValueError, match='SCSampler needs model.light_backbone or'):
        build('SCSampler', light_backbone=None, light_head=None)
    with pytest.raises(ValueError, match='test_cfg.num_focus=9 must be in 1..8'):
        build('Random', test_cfg=dict(num_focus=9))
    with pytest.raises(ValueError, match='train_cfg.num_focus=0 must be in 1..8'):
        build('Random', train_cfg=dict(num_focus=0))


@pytest.mark.parametrize('config,published,tolerance', [
    # 65.4 to 65.8 by convention; AR-Net counts BN.
    ('uniform/uniform_r50_anet.py', 65.4, 0.05),
    ('random/random_r50_anet.py', 10 * 4.0875, 0.05),
    ('scsampler/scsampler_mn2_r50_anet.py', 42.0, 0.42),
])
def test_published_cost(config, published, tolerance):
    """Counted from one video's executed prediction at the paper's size."""
    cfg = read_config(str(CONFIGS / config))
    model = build_model(cfg)
    _, samples = batch(1, 1)
    with torch.no_grad():
        sample, = model.predict(torch.randn(1, 16, 3, 224, 224), samples)
    assert sample.gmacs == pytest.approx(published, abs=tolerance)
