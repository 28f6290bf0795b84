"""AdaFocusV2: AVGN's stages without sound and AV-TeST, its losses, its published cost."""

import pytest
import torch

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.cost import count_macs
from avgn_mm.registry import MODELS
from tests.rivals import NUM_CLASSES, batch, check_alone

T = 4


def tiny(**changes):
    config = dict(
        type='AdaFocusV2', num_frames=T, patch_size=16, visual_channels=16, local_channels=24,
        backbone=dict(type='ConvStack', channels=(8, 16), strides=(4, 4)),
        local_backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
        patch_policy=dict(type='PatchPolicy', feature_size=2, hidden_channels=4, embed_dims=16),
        cls_head=dict(type='AVGNHead', num_classes=NUM_CLASSES, hidden_channels=32,
                      pooled_visual=False),
        train_cfg=dict(random_patch=True), test_cfg=dict(num_focus=T))
    return MODELS.build({**config, **changes})


@pytest.mark.parametrize('k', [1, 3, T])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_executes_what_it_states(batch_size, k):
    model = tiny(test_cfg=dict(num_focus=k)).eval()
    inputs, samples = batch(batch_size, T)
    model.cost.units(*model.unpack(inputs))
    predicted = []
    executed = count_macs(lambda: predicted.extend(model.predict(inputs, samples)))
    assert executed == round(sum(sample.gmacs for sample in predicted) * 1e9)
    for sample in predicted:
        assert sample.frames_encoded == sample.frames_focused == k
        assert sample.selected.tolist() == list(range(k))  # coarse to fine, as they come


def test_early_exit_drops_videos_and_their_cost():
    model = tiny().eval()
    inputs, samples = batch(3, T)
    step_logits, _ = model.predict_budgets(inputs, [0])[0]
    threshold = float(step_logits[:, 0].amax(dim=1).sort().values[1])
    model.test_cfg.update(exit_thresholds=[threshold, float('inf'), float('inf'), 0])
    predicted = model.predict(inputs, samples)
    assert sorted(sample.exit_step for sample in predicted) == [1, 1, T]
    assert predicted[0].gmacs != predicted[1].gmacs or predicted[1].gmacs != predicted[2].gmacs


def test_scores_do_not_depend_on_the_batch():
    check_alone(tiny())


def test_losses():
    model = tiny().train()
    inputs, samples = batch(4, T)
    losses = model.loss(inputs, samples)
    assert {name for name in losses if name.startswith('loss')} == {
        'loss_cls', 'loss_visual_global', 'loss_visual_local'}
    sum(value for name, value in losses.items() if name.startswith('loss')).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    # The gradient of the crop reaches pi; f_G learns from its own classifiers alone.
    assert model.patch_policy.coordinates.weight.grad.abs().sum() > 0


def test_f_g_does_not_learn_through_the_policy():
    model = tiny(cls_head=dict(type='AVGNHead', num_classes=NUM_CLASSES, hidden_channels=32,
                               pooled_visual=False)).train()
    maps = []
    model.backbone.register_forward_hook(lambda module, args, out: maps.append(out))
    seen = []
    model.patch_policy.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    inputs, samples = batch(2, T)
    model.loss(inputs, samples)
    assert maps[0].requires_grad and not seen[0].requires_grad


@pytest.mark.parametrize('patch_size, published', [(96, 17.6), (128, 27.0), (160, 39.0)])
def test_published_cost(patch_size, published):
    cfg = read_config(f'configs/adafocusv2/adafocusv2_mn2_r50_p{patch_size}_anet.py')
    model = build_model(cfg)
    imgs = torch.randn(1, 16, 3, 224, 224)
    _, samples = batch(1, 1)
    model.cost.units(imgs, None)  # counted once; not part of a prediction
    predicted = []
    executed = count_macs(lambda: predicted.extend(model.predict(imgs, samples))) / 1e9
    assert executed == pytest.approx(predicted[0].gmacs, abs=1e-6)
    assert executed == pytest.approx(published, rel=0.01)
