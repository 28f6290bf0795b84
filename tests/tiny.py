"""An AVGN of a few thousand parameters and random batches for it."""

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
