"""Accelerated encoders: the same scores and costs, and few programs to compile."""

import copy
import shutil
import sysconfig
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from avgn_mm.engine import accelerate, check_fast
from avgn_mm.engine.fast import decelerate, find_encoders
from avgn_mm.registry import HOOKS, MODELS
from tests import tiny


@pytest.fixture(autouse=True)
def scope_and_seed():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


def some_statistics(model):
    """Give batch norms something to fold."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.bias.data):
                tensor.normal_(std=0.3)
            for tensor in (layer.running_var, layer.weight.data):
                tensor.uniform_(0.5, 1.5)
    model.eval()  # not chained: MMAction2's ResNet.eval() returns None
    return model


def loaded(num_videos=3):
    """An AVGN that confuses no frames, and a batch as the data loader gives it."""
    model = some_statistics(tiny.avgn(data_preprocessor=dict(
        type='MultiModalDataPreprocessor', preprocessors={
            name: dict(type='ActionDataPreprocessor') for name in ('imgs', 'audios')})))
    inputs, samples = tiny.batch(num_videos)
    return model, dict(inputs={name: list(x) for name, x in inputs.items()}, data_samples=samples)


BACKBONES = [
    dict(type='ConvStack', channels=(4, 8), strides=(2, 2)),
    dict(type='GlanceMobileNetV2', widen_factor=0.25),
    dict(type='GlanceMobileNetV2TSM', widen_factor=0.25, num_segments=4),
    dict(type='ResNet', depth=18, pretrained=None),
]


@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('backbone', BACKBONES, ids=lambda cfg: cfg['type'])
@torch.no_grad()
def test_folding_and_layout_change_nothing(backbone, channels_last):
    model = nn.Module()
    model.backbone = some_statistics(MODELS.build(backbone))
    images = torch.randn(4, 3, 32, 32)
    expected = model.backbone(images)
    names = list(model.state_dict())
    accelerate(model, channels_last=channels_last)
    found = model.backbone(images)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found / scale, expected / scale, atol=1e-5, rtol=0)
    assert list(model.state_dict()) == names
    decelerate(model)
    assert torch.equal(model.backbone(images), expected)


@pytest.mark.parametrize('options, limit', [
    (dict(channels_last=False), 1e-5), (dict(), 1e-5), (dict(dtype='bf16'), 1e-2)])
def test_scores_and_cost(options, limit):
    model, batch = loaded()
    with torch.no_grad():
        plain = model.test_step(copy.deepcopy(batch))
        model.cost._units.clear()
        accelerate(model, **options)
        fast = model.test_step(copy.deepcopy(batch))
    assert [sample.gmacs for sample in fast] == [sample.gmacs for sample in plain]
    assert all(sample.pred_score.dtype == torch.float32 for sample in fast)
    difference = max(float((a.pred_score - b.pred_score).abs().max()) for a, b in zip(plain, fast))
    assert check_fast(model, batch) == difference <= limit
    if 'dtype' in options:
        assert difference > 0


def test_all_encoders_are_found():
    names = ('backbone', 'local_backbone', 'audio_backbone', 'cls_head.classifier.fc')
    assert sorted(find_encoders(tiny.avgn())) == sorted(names)
    model = nn.Module()
    model.policy, model.sampler = nn.Module(), nn.Sequential(nn.Linear(1, 1))
    model.policy.light_backbone = nn.Module()
    model.policy.light_backbone.backbone = nn.Linear(1, 1)
    assert sorted(find_encoders(model)) == ['policy.light_backbone', 'sampler']
    with pytest.raises(ValueError, match='Linear has no submodule'):
        accelerate(nn.Linear(1, 1))


def test_training_and_new_weights():
    model, _ = loaded()
    images = torch.randn(2, 3, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE)
    accelerate(model, dtype='bf16').train()
    assert model.backbone(images).requires_grad
    with pytest.raises(RuntimeError, match=r'call accelerate\(\) after loading'):
        model.load_state_dict(model.state_dict())
    decelerate(model).load_state_dict(model.state_dict())


def test_hook():
    class Runner:
        model, _ = loaded()

    hook = HOOKS.build(dict(type='FastHook', dtype='bf16'))
    hook.before_test(Runner)
    assert 'forward' in vars(Runner.model.backbone)
    hook.after_test(Runner)
    assert 'forward' not in vars(Runner.model.backbone)


def test_what_is_missing_is_said(monkeypatch):
    model, _ = loaded()
    with pytest.raises(ValueError, match="dtype must be 'bf16' or None, got 'fp8'"):
        accelerate(model, dtype='fp8')
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def no_compiler():
        raise InvalidCxxCompiler

    # Patching PyTorch's own setting, a tuple, takes it away for all that follows.
    monkeypatch.setattr(cpp_builder, 'get_cpp_compiler', no_compiler)
    with pytest.raises(RuntimeError, match=r'needs a C\+\+ compiler'):
        accelerate(model, compile=True)
    assert 'forward' not in vars(model.backbone)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which('g++') is None or not Path(sysconfig.get_path('include'), 'Python.h').exists(),
    reason='compiling needs g++ and the headers of Python')
def test_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    from torch._dynamo.utils import counters
    counters.clear()
    model = nn.Module()
    model.backbone = some_statistics(MODELS.build(BACKBONES[0]))
    # One channel, which fits every layout.
    model.audio_backbone = some_statistics(MODELS.build(dict(BACKBONES[0], in_channels=1)))
    with torch.inference_mode():
        sound = torch.randn(3, 1, 12, 8)
        heard = model.audio_backbone(sound)
        plain = [model.backbone(torch.ones(n, 3, 16, 16)) for n in (1, 5, 2, 7)]
        accelerate(model, compile=True)
        for expected in plain:
            found = model.backbone(torch.ones(len(expected), 3, 16, 16))
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        # One for a single image, one for all other numbers.
        assert counters['stats']['unique_graphs'] == 2
        torch.testing.assert_close(model.audio_backbone(sound), heard, atol=1e-5, rtol=1e-4)
    assert any(tmp_path.rglob('*.so'))
