"""An AVGN of a few thousand parameters, random batches for it, and ways to watch it work."""

import dataclasses

import torch
from mmaction.structures import ActionDataSample
from torch import nn

from avgn_mm.registry import MODELS

NUM_FRAMES = 8
NUM_CLASSES = 5
IMAGE_SIZE = 32
PATCH_SIZE = 16


def avgn_config(**changes) -> dict:
    """A config whose top-level entries ``changes`` replace."""
    config = dict(
        type='AVGN',
        num_frames=NUM_FRAMES,
        patch_size=PATCH_SIZE,
        visual_channels=16,
        local_channels=24,
        audio_channels=12,
        backbone=dict(type='ConvStack', channels=(8, 16), strides=(4, 4)),
        local_backbone=dict(type='ConvStack', channels=(8, 24), strides=(2, 4)),
        audio_backbone=dict(type='ConvStack', in_channels=1, channels=(8, 12), strides=(4, 4)),
        temporal_glance=dict(type='AVTeST', embed_dims=16, num_heads=2, feedforward_channels=32),
        spatial_glance=dict(type='AESPA', embed_dims=16, num_heads=2, feedforward_channels=32),
        patch_policy=dict(type='PatchPolicy', feature_size=2, hidden_channels=4, embed_dims=16),
        audio_fusion=dict(
            type='AudioFusion', embed_dims=20, num_heads=2, feedforward_channels=32),
        cls_head=dict(type='AVGNHead', num_classes=NUM_CLASSES, hidden_channels=32),
        saliency_loss=dict(type='SaliencyLoss'),
        mask_loss=dict(type='MaskedReconstructionLoss'),
        ordered_loss=dict(type='OrderedLogitsLoss'),
        train_cfg=dict(num_glances=None, random_patch=True),
        test_cfg=dict(num_glances=4, num_focus=3))
    return {**config, **changes}


def avgn(**changes) -> nn.Module:
    return MODELS.build(avgn_config(**changes))


def batch(batch_size: int = 2, num_frames: int = NUM_FRAMES) -> tuple[dict, list]:
    """Random frames and log-mel windows, and a label for each video."""
    inputs = dict(
        imgs=torch.randn(batch_size, num_frames, 3, IMAGE_SIZE, IMAGE_SIZE),
        audios=torch.randn(batch_size, num_frames, 1, 24, 16))
    return inputs, [ActionDataSample().set_gt_label(i) for i in range(batch_size)]


# What tests vary: Table 4's and Table 6's ablations, and combinations of them.
ABLATIONS = {
    'all parts': {},
    'no audio': dict(audio_backbone=None),
    'no AV-TeST': dict(temporal_glance=None),
    'no AESPA': dict(spatial_glance=None),
    'no psi': dict(audio_fusion=None),
    'centre crop': dict(patch_policy=None),
    'no audio, no AV-TeST': dict(audio_backbone=None, temporal_glance=None),
}


@torch.no_grad()
def diverse(batch_size: int, **changes) -> tuple[nn.Module, dict, list]:
    """A model that treats the videos of a batch differently, and the batch.

    Its weights are large, so that selections, places and confidences differ by more than rounding.
    """
    model, (inputs, samples) = avgn(**changes).eval(), batch(batch_size)
    for part in (model.temporal_glance, model.patch_policy, model.cls_head.classifier.steps):
        for name, parameter in part.named_parameters() if part is not None else ():
            if parameter.dim() > 1 and not name.startswith('score'):
                parameter.mul_(4)
    return model, inputs, samples


def predict(model, inputs, samples) -> list:
    with torch.no_grad():
        return model.eval()(inputs, samples, mode='predict')


def rows(inputs, index) -> dict:
    """One video of a batch."""
    return {name: value[index:index + 1] for name, value in inputs.items()}


def set_budget(model, num_glances, num_focus, exit_thresholds=None):
    model.test_cfg.update(
        num_glances=num_glances, num_focus=num_focus, exit_thresholds=exit_thresholds)


def prescribe_saliency(monkeypatch, model):
    """Make a frame's saliency the value of its first pixel, which a test can set.

    AV-TeST works all the same; a model without it is left alone.
    """
    glance = model.glance

    def prescribed(imgs, audios, num_glances):
        found = glance(imgs, audios, num_glances)
        if found.saliency is None:
            return found
        return dataclasses.replace(found, saliency=imgs[:, :, 0, 0, 0])

    monkeypatch.setattr(model, 'glance', prescribed)


def count_units(model, inputs) -> dict:
    """Let the model count what its parts cost, so that it does not do so while it is watched."""
    return model.cost.units(*model.unpack(inputs))


def count_frames(module) -> list:
    """The batch sizes that a module will have seen."""
    sizes = []
    module.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    return sizes
