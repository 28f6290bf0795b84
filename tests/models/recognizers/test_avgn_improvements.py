"""What AVGN can do beyond the paper: off it changes nothing, on it teaches what it should."""

from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from avgn_mm.evaluation.ablations import changed_settings
from avgn_mm.models.losses import SaliencyLoss
from avgn_mm.registry import MODELS
from tests.tiny import NUM_FRAMES, avgn, batch

CONFIGS = Path(__file__).resolve().parents[3] / 'configs/avgn'
IMPROVEMENTS = sorted(path.stem for path in (CONFIGS / 'improvements').glob('*.py'))


def gradients(model, loss) -> dict:
    """By parameter, where it is not zero."""
    names, parameters = zip(*model.named_parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return {name: gradient for name, gradient in zip(names, found)
            if gradient is not None and gradient.abs().max() > 0}


def reached(model, loss) -> set:
    return {name.split('.')[0] for name in gradients(model, loss)}


@pytest.mark.parametrize('hindsight, expected', [(None, {}), (
    dict(type='HindsightLoss', loss_weight=5.0), dict(loss_hindsight=0.02356776))])
def test_off_nothing_changes(hindsight, expected):
    """Losses and random draws of a training step, as they were before there were any switches."""
    model = avgn(hindsight_loss=hindsight)
    losses = {name: value.item() for name, value in model.loss(*batch(4)).items()}
    assert losses == pytest.approx(dict(
        loss_mask=0.17154957, loss_cls=1.70633888, loss_visual_global=1.63343143,
        loss_visual_local=1.67737985, loss_visual_pooled=1.93702221, loss_audio_frame=1.55240095,
        loss_audio_pooled=1.81463277, loss_saliency=0.25460953, loss_ordered=1.90886593,
        top1_acc=0.5, **expected), rel=1e-4)
    assert torch.rand(2).tolist() == pytest.approx([0.52097017, 0.62861705])


@pytest.mark.parametrize('changes', [
    dict(surrogate_loss=dict(type='PatchSurrogateLoss')),
    dict(distillation_loss=dict(type='BudgetDistillationLoss')),
    dict(saliency_target='focus'),
    dict(saliency_loss=dict(type='ListwiseSaliencyLoss')),
])
def test_only_their_own_losses_differ(changes):
    """Neither random draws nor weights: the other losses stay as they are, bit for bit."""
    plain, inputs_and_samples = avgn(), batch()
    changed = avgn(**changes)
    changed.load_state_dict(plain.state_dict(), strict=False)
    losses = []
    for model in (plain, changed):
        torch.manual_seed(1)
        losses.append(model.loss(*inputs_and_samples))
    different = {name for name, value in losses[1].items()
                 if name not in losses[0] or value != losses[0][name]}
    assert different == {
        'surrogate_loss': {'loss_surrogate'}, 'distillation_loss': {'loss_distillation'},
    }.get(next(iter(changes)), {'loss_saliency'})


@pytest.mark.parametrize('name', IMPROVEMENTS)
def test_config_trains_on_other_data_too(name):
    """As the study does: what the config changes is changed in GlanceBench-mini's AVGN."""
    options = changed_settings(Config.fromfile(CONFIGS / f'improvements/{name}.py').to_dict(),
                               Config.fromfile(CONFIGS / 'avgn_mn2_r50_anet.py').to_dict())
    assert options
    config = Config.fromfile(CONFIGS / 'avgn_glancebench-mini.py')
    config.merge_from_dict(options)
    model = MODELS.build({**config.model, 'patch_size': 16})
    inputs = dict(imgs=torch.randn(2, 16, 3, 32, 32), audios=torch.randn(2, 16, 1, 24, 16))
    samples = [ActionDataSample().set_gt_label(i) for i in range(2)]
    losses = model.loss(inputs, samples)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    model.eval()(inputs, samples, mode='predict')


def test_the_surrogate_teaches_the_policy_in_place_of_the_crop():
    model = avgn(surrogate_loss=dict(type='PatchSurrogateLoss'))
    losses = model.loss(*batch())
    policy = {'patch_policy', 'spatial_glance'}
    assert reached(model, losses['loss_surrogate']) == policy | {'surrogate_loss'}
    for name in ('loss_cls', 'loss_visual_local', 'loss_ordered'):
        assert not policy & reached(model, losses[name])


def test_small_budgets_learn_from_the_greatest():
    model = avgn(distillation_loss=dict(type='BudgetDistillationLoss'))
    taught = gradients(model, model.loss(*batch())['loss_distillation'])
    steps = {name.split('.')[3] for name in taught if name.startswith('cls_head.classifier.steps')}
    assert steps == {str(step) for step in range(NUM_FRAMES - 1)}


def test_saliency_from_the_close_look(monkeypatch):
    """f_L's probability of the true class, of pi's patches, frame by frame; f_L is not taught."""
    model, (inputs, samples) = avgn(saliency_target='focus'), batch()
    seen = {}
    monkeypatch.setattr(SaliencyLoss, 'forward', lambda _, saliency, confidence: seen.update(
        confidence=confidence) or saliency.sum())
    visual_losses = model.cls_head.visual_losses
    monkeypatch.setattr(model.cls_head, 'visual_losses', lambda visual, local, labels: seen.update(
        local=local) or visual_losses(visual, local, labels))
    loss = model.loss(inputs, samples)['loss_saliency']
    probabilities = model.cls_head.fc_local[1](seen['local'][:2]).softmax(dim=-1)
    torch.testing.assert_close(
        seen['confidence'], torch.stack((probabilities[0, :, 0], probabilities[1, :, 1])))
    assert reached(model, loss) == {'temporal_glance'}


def test_unknown_saliency_target():
    with pytest.raises(ValueError, match="'fused' or 'focus', got 'local'"):
        avgn(saliency_target='local')


def test_audio_dropout(monkeypatch):
    """L_A hears what is heard with the label of the video that it comes from."""
    model, (inputs, samples) = avgn(train_cfg=dict(audio_dropout=dict(wrong=1.0))), batch()
    seen = {}
    encode, audio_losses = model.encode_audio, model.cls_head.audio_losses
    monkeypatch.setattr(model, 'encode_audio', lambda audios: seen.update(
        audios=audios) or encode(audios))
    monkeypatch.setattr(model.cls_head, 'audio_losses', lambda audio, labels: seen.update(
        labels=labels) or audio_losses(audio, labels))
    model.loss(inputs, samples)
    assert torch.equal(seen['audios'], inputs['audios'].flip(0))
    assert seen['labels'].tolist() == [1, 0]
    # At test nothing is dropped.
    model.eval()(inputs, mode='tensor')
    assert torch.equal(seen['audios'], inputs['audios'])


def test_audio_dropout_without_audio():
    model = avgn(audio_backbone=None, train_cfg=dict(audio_dropout=dict(missing=1.0)))
    assert 'loss_cls' in model.loss(*batch())
