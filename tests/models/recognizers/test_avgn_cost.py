"""What a prediction says it cost is what it did cost, to the last multiply-accumulate."""

from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from avgn_mm.evaluation.cost import count_macs
from avgn_mm.registry import MODELS
from tests.tiny import (
    ABLATIONS,
    NUM_FRAMES,
    avgn,
    batch,
    count_units,
    diverse,
    prescribe_saliency,
    set_budget,
)

CONFIG = Path(__file__).parents[3] / 'configs' / 'avgn' / 'avgn_mn2_r50_anet.py'

# T_G below and above k, and both at their ends.
BUDGETS = [(1, 1), (1, 4), (3, 2), (3, NUM_FRAMES), (5, 5), (NUM_FRAMES, 1),
           (NUM_FRAMES, NUM_FRAMES)]


def accounted_and_executed(model, inputs, samples) -> tuple[list[int], int]:
    """MACs that the samples state, and those of the prediction that wrote them."""
    executed = count_macs(lambda: model.predict(inputs, samples))
    stated = [sample.gmacs * 1e9 for sample in samples]
    assert all(abs(macs - round(macs)) < 1e-3 for macs in stated)
    return [round(macs) for macs in stated], executed


@pytest.fixture(params=['encoded', 'selected'])
def scope(request):
    return request.param


@pytest.fixture(params=[1, 3])
def batch_size(request):
    return request.param


@pytest.fixture(
    params=[*ABLATIONS.values(), dict(glance_size=16, patch_policy=dict(
        type='PatchPolicy', feature_size=1, hidden_channels=4, embed_dims=16))],
    ids=[*ABLATIONS, 'smaller glance'])
def case(request, scope, batch_size):
    model, inputs, samples = diverse(batch_size, policy_scope=scope, **request.param)
    count_units(model, inputs)
    return model, inputs, samples


def test_accounted_is_executed(case):
    model, inputs, samples = case
    for num_glances, num_focus in BUDGETS:
        set_budget(model, num_glances, num_focus)
        accounted, executed = accounted_and_executed(model, inputs, samples)
        assert sum(accounted) == executed, (num_glances, num_focus)


@torch.no_grad()
def test_accounted_is_executed_with_early_exit(case):
    model, inputs, samples = case
    exits = set()
    for num_glances, num_focus in [(1, 4), (3, NUM_FRAMES), (NUM_FRAMES, 3)]:
        step_logits, _ = model.predict_budgets(inputs, [num_glances])[num_glances]
        confidences = step_logits.amax(dim=2)
        # Half of the batch reaches the thresholds of the first kind; then one video a step.
        for thresholds in (confidences.median(dim=0).values, confidences.amax(dim=0) - 1e-3):
            set_budget(model, num_glances, num_focus, thresholds.tolist())
            accounted, executed = accounted_and_executed(model, inputs, samples)
            assert sum(accounted) == executed, (num_glances, num_focus)
            exits |= {sample.exit_step for sample in samples}
    if len(samples) > 1:
        assert len(exits) > 2


def test_a_video_costs_the_same_in_any_batch():
    """Its neighbours select other frames, which is not its affair."""
    model, inputs, samples = diverse(4)
    set_budget(model, 3, 4)
    count_units(model, inputs)
    together, _ = accounted_and_executed(model, inputs, samples)
    alone = []
    for video in range(4):
        row = {name: value[video:video + 1] for name, value in inputs.items()}
        (accounted,), executed = accounted_and_executed(model, row, samples[video:video + 1])
        assert accounted == executed
        alone.append(accounted)
    assert together == alone
    assert len(set(alone)) > 1


def test_hand_computed_units():
    """Products of the tiny model of tests/tiny.py, one by one."""
    model, (inputs, _) = avgn(), batch()
    # 32 x 32 frames, 8 x 8 and 2 x 2 maps; 24 x 16 windows, 6 x 4 and 2 x 1 maps.
    layer = 4 * 16**2 + 2 * 16 * 32  # of AESPA, for each token: projections and feed-forward
    assert count_units(model, inputs) == {
        'backbone.frame': 64 * 8 * 27 + 4 * 16 * 8 * 9,
        'audio_backbone.frame': 24 * 8 * 9 + 2 * 12 * 8 * 9,
        # Audio embedding; two layers of 32 channels over 8 tokens; the scores.
        'temporal_glance': (8 * 12 * 16 + 2 * (8 * (4 * 32**2 + 2 * 32 * 32) + 2 * 8 * 8 * 32)
                            + 8 * 32),
        'temporal_glance.frame': 16 * 16,
        # 8 windows, then one layer over them and 4 bottlenecks.
        'spatial_glance': 8 * 12 * 16 + 12 * layer + 2 * 12 * 12 * 16,
        # 4 places, then two layers over them and 4 bottlenecks.
        'spatial_glance.frame': 4 * 16 * 16 + 2 * (8 * layer + 2 * 8 * 8 * 16),
        # 1x1 convolution, FC, GRU, coordinates.
        'patch_policy.frame': 4 * 16 * 4 + 16 * 16 + 3 * 16 * (16 + 16) + 16 * 2,
        # 16 x 16 patches, 8 x 8 and 2 x 2 maps.
        'local_backbone.frame': 64 * 8 * 27 + 4 * 24 * 8 * 9,
        'audio_fusion': 2 * 8 * 12 * 20,
        # Query, its projection and that of the output; scores and weighted sum; feed-forward.
        'audio_fusion.frame': 16 * 20 + 2 * 20**2 + 2 * 8 * 20 + 2 * 20 * 32,
        'cls_head.frame': (16 + 24 + 20) * 32,
        'cls_head.output': 32 * 5,
    }


def test_counting_leaves_the_model_as_it_was():
    model, (inputs, _) = avgn(), batch()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert model.training
    count_units(model, inputs)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any('cost' in name for name, _ in model.named_modules())


def test_parts_are_counted_once_for_each_shape(monkeypatch):
    model, (inputs, _) = avgn().eval(), batch()
    counted = []
    count = model.cost._count
    monkeypatch.setattr(model.cost, '_count', lambda *args: counted.append(1) or count(*args))
    small = count_units(model, inputs)
    assert count_units(model, batch(3)[0]) is small
    assert len(counted) == 1
    model.patch_policy = model.spatial_glance = None
    large = count_units(model, dict(inputs, imgs=torch.randn(2, NUM_FRAMES, 3, 64, 64)))
    assert len(counted) == 2
    assert large['backbone.frame'] == 4 * small['backbone.frame']
    # A patch is a patch.
    assert large['local_backbone.frame'] == small['local_backbone.frame']


def test_a_single_frame_can_be_counted():
    model, (inputs, samples) = avgn(num_frames=1, test_cfg=None).eval(), batch(2, 1)
    count_units(model, inputs)
    accounted, executed = accounted_and_executed(model, inputs, samples)
    assert sum(accounted) == executed


# ---------------------------------------------------------------- the paper's size

@pytest.fixture(scope='module')
def video():
    """Random, and the earlier a frame in coarse-to-fine order, the greater its first pixel."""
    torch.manual_seed(0)
    inputs = dict(imgs=torch.randn(1, 16, 3, 224, 224), audios=torch.randn(1, 16, 1, 96, 64))
    inputs['imgs'][0, :, 0, 0, 0] = -torch.arange(16.)
    return inputs


def published(**changes):
    """AVGN as published for ActivityNet, with random weights, for inputs that are normalised."""
    config = Config.fromfile(CONFIG).model
    for part in (config.backbone, config.audio_backbone):
        part.pop('init_cfg')
    config.local_backbone.pretrained = None
    config.pop('data_preprocessor')
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        model = MODELS.build({**config, **changes})
    model.eval()
    return model


@pytest.fixture(scope='module')
def avgn_anet(video):
    model = published()
    count_units(model, video)
    return model


@pytest.fixture(scope='module')
def uniform_anet(video):
    model = published(temporal_glance=None)
    count_units(model, video)
    return model


def executed_gmacs(model, inputs, num_glances, num_focus, num_encoded) -> float:
    set_budget(model, num_glances, num_focus)
    samples = [ActionDataSample()]
    (accounted,), executed = accounted_and_executed(model, inputs, samples)
    assert accounted == executed
    assert samples[0].frames_encoded == num_encoded
    return executed / 1e9


def assert_printed(gmacs: float, printed: float):
    """Within 1 % of what the paper prints, or what rounding prints so."""
    assert gmacs == pytest.approx(printed, rel=0.01) or round(gmacs, 1) == printed


@pytest.mark.parametrize('part, gmacs', [
    ('backbone.frame', 0.2995),
    ('local_backbone.frame', 1.3346),
    ('audio_backbone.frame', 0.03579),
])
def test_encoders_of_the_papers_size(avgn_anet, video, part, gmacs):
    digits = len(str(gmacs)) - len('0.')
    assert round(count_units(avgn_anet, video)[part] / 1e9, digits) == gmacs


@pytest.mark.parametrize('num_glances, num_focus, num_encoded, printed', [
    # The frame that is looked at is one of those glanced at.
    (2, 1, 2, 2.7), (4, 1, 4, 3.3), (8, 1, 8, 4.7), (12, 1, 12, 6.0), (16, 1, 16, 7.3),
    (16, 6, 16, 14.1),
    (2, 16, 16, 27.6), (8, 16, 16, 27.6), (16, 16, 16, 27.6),
])
def test_cells_of_table_3(monkeypatch, avgn_anet, video, num_glances, num_focus, num_encoded,
                          printed):
    prescribe_saliency(monkeypatch, avgn_anet)
    assert_printed(executed_gmacs(avgn_anet, video, num_glances, num_focus, num_encoded), printed)


@pytest.mark.parametrize('num_focus, printed', [(4, 7.4), (8, 14.2), (12, 20.9)])
def test_uniform_rows_of_table_5(uniform_anet, video, num_focus, printed):
    """Without AV-TeST no frame is encoded but those that are looked at."""
    assert_printed(executed_gmacs(uniform_anet, video, 16, num_focus, num_focus), printed)
