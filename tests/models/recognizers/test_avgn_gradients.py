"""Which loss teaches which part: the stop-gradients of section 3.4.

Nothing flows from pi (hence AESPA) and AV-TeST to f_G and f_A, nor from psi to f_G.
"""

import pytest
import torch

from tests.tiny import avgn, batch

PARTS = ('backbone', 'audio_backbone', 'local_backbone', 'temporal_glance', 'spatial_glance',
         'patch_policy', 'audio_fusion', 'cls_head')


def reached(model, loss) -> set:
    """The parts of the model in which the loss has a gradient other than zero."""
    names, parameters = zip(*model.named_parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert all(name.startswith(PARTS) for name in names)
    return {name.split('.')[0] for name, gradient in zip(names, gradients)
            if gradient is not None and gradient.abs().max() > 0}


@pytest.fixture(params=['encoded', 'selected'])
def model(request):
    return avgn(policy_scope=request.param, train_cfg=dict(num_glances=3, random_patch=True))


@pytest.mark.parametrize('loss, parts', [
    # AV-TeST learns from both and passes nothing on; L_s' target is no way back into f_C.
    ('loss_saliency', {'temporal_glance'}),
    ('loss_mask', {'temporal_glance'}),
    # Through the patch: pi and AESPA, and not what they read.
    ('loss_visual_local', {'local_backbone', 'patch_policy', 'spatial_glance', 'cls_head'}),
    ('loss_visual_global', {'backbone', 'cls_head'}),
    ('loss_audio_frame', {'audio_backbone', 'cls_head'}),
    ('loss_audio_pooled', {'audio_backbone', 'cls_head'}),
    ('loss_cls', set(PARTS) - {'temporal_glance'}),
    ('loss_ordered', set(PARTS)),
])
def test_reach_of_each_loss(model, loss, parts):
    assert reached(model, model.loss(*batch())[loss]) == parts


@pytest.mark.parametrize('loss', ['loss_cls', 'loss_ordered'])
def test_audio_fusion_teaches_f_A_and_not_f_G(model, loss):
    """f_C is made blind to e^G and e^L, so that psi is the only way in."""
    fc = model.cls_head.classifier.fc
    with torch.no_grad():
        fc.weight[:, :16 + 24] = 0
    parts = {'audio_fusion', 'audio_backbone', 'cls_head'}
    if loss == 'loss_ordered':
        parts.add('temporal_glance')
    assert reached(model, model.loss(*batch())[loss]) == parts


@pytest.mark.parametrize('part, method, position, wanted', [
    ('spatial_glance', 'encode_audio', 0, False),
    ('temporal_glance', 'forward', 1, False),
    ('audio_fusion', 'encode_audio', 0, True),
])
def test_who_teaches_f_A(monkeypatch, part, method, position, wanted):
    """The gradient that a part hands to its audio input, whatever loss it comes from."""
    model = avgn(train_cfg=dict(num_glances=3))
    handed = []
    original = getattr(getattr(model, part), method)

    def record(*args):
        handed.append(args[position].requires_grad)
        return original(*args)

    monkeypatch.setattr(getattr(model, part), method, record)
    model.loss(*batch())
    assert handed == [wanted]


@pytest.mark.parametrize('part', ['spatial_glance', 'temporal_glance', 'audio_fusion'])
def test_who_teaches_f_G(part):
    model = avgn(train_cfg=dict(num_glances=3))
    handed = []
    getattr(model, part).register_forward_pre_hook(
        lambda _, args: handed.append(args[0].requires_grad))
    model.loss(*batch())
    assert handed == [False]


def test_policy_without_aespa_does_not_teach_f_G():
    model = avgn(spatial_glance=None, train_cfg=dict(num_glances=3))
    parts = reached(model, model.loss(*batch())['loss_visual_local'])
    assert parts == {'local_backbone', 'patch_policy', 'cls_head'}


def test_audio_without_psi_teaches_f_A():
    model = avgn(audio_fusion=None, train_cfg=dict(num_glances=3))
    assert 'audio_backbone' in reached(model, model.loss(*batch())['loss_cls'])
