"""Graphs of fixed shapes answer as the model does, whatever it selects; see also test_export.py."""

import pytest
import torch
from mmengine.registry import DefaultScope

from avgn_mm.deployment.graphs import AVGNGraph, stages
from tests.tiny import ABLATIONS, NUM_FRAMES, batch, diverse, predict, set_budget


@pytest.fixture(autouse=True)
def scope_and_seed():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


@pytest.mark.parametrize('scope', ['encoded', 'selected'])
@pytest.mark.parametrize('ablation', ABLATIONS)
def test_fixed_shapes_change_no_answer(ablation, scope):
    model, inputs, samples = diverse(3, policy_scope=scope, **ABLATIONS[ablation])
    arguments = inputs if model.audio_backbone is not None else dict(imgs=inputs['imgs'])
    for budget in [(4, 3), (2, NUM_FRAMES), (NUM_FRAMES, 3), (1, 1), (5, 7)]:
        set_budget(model, *budget)
        expected = predict(model, inputs, samples)
        scores, selected, boxes = AVGNGraph(model)(**arguments)
        for i, sample in enumerate(expected):
            assert torch.equal(selected[i], sample.selected)
            torch.testing.assert_close(scores[i], sample.pred_score, atol=1e-5, rtol=0)
            torch.testing.assert_close(boxes[i], sample.patch_boxes, atol=1e-4, rtol=0)


def test_equal_saliencies_keep_their_order():
    model, _, _ = diverse(1)
    saliency = torch.tensor([[0.5, 0.7, 0.5, 0.7, 0.5, 0.1, 0.9, 0.5]])
    picked = AVGNGraph(model).model.pick(saliency, 6, 1)
    assert picked.tolist() == [[6, 1, 3, 0, 2, 4]] == model.pick(saliency, 6, 1).tolist()


def test_what_only_training_uses_is_left_out():
    model, _, _ = diverse(1, surrogate_loss=dict(type='PatchSurrogateLoss'),
                          distillation_loss=dict(type='BudgetDistillationLoss'),
                          train_cfg=dict(audio_dropout=dict(missing=0.2, wrong=0.2)))
    assert any('surrogate_loss' in name for name in model.state_dict())
    left = {name for name, _ in AVGNGraph(model).named_modules()}
    assert not [name for name in left if 'loss' in name or 'audio_dropout' in name]


def test_original_is_left_alone():
    model, inputs, samples = diverse(1)
    AVGNGraph(model)
    assert model.cls_head.fc_visual is not None
    assert next(model.parameters()).requires_grad
    model.loss(inputs, samples)


@pytest.mark.parametrize('changes, lacks', [
    (dict(audio_fusion=None), 'lacks audio_fusion'),
    (dict(audio_backbone=None), 'lacks spatial_glance, audio_fusion'),
    (dict(policy_scope='selected'), "this model has 'selected'")])
def test_stages_need_all_parts(changes, lacks):
    with pytest.raises(ValueError, match=lacks):
        stages(diverse(1, **changes)[0], batch(1)[0])
