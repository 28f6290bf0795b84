# AVGN at the paper's size: T = 16, MobileNetV2 at 224 px, ResNet-50 at P = 128.
model = dict(
    type='AVGN',
    num_frames=16,
    patch_size=128,
    visual_channels=1280,
    local_channels=2048,
    audio_channels=1280,
    backbone=dict(
        type='GlanceMobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    audio_backbone=dict(
        type='GlanceMobileNetV2',
        in_channels=1,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    local_backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    temporal_glance=dict(type='AVTeST'),
    spatial_glance=dict(type='AESPA'),
    patch_policy=dict(type='PatchPolicy'),
    audio_fusion=dict(type='AudioFusion'),
    cls_head=dict(type='AVGNHead', num_classes=200),
    saliency_loss=dict(type='SaliencyLoss'),
    mask_loss=dict(type='MaskedReconstructionLoss'),
    ordered_loss=dict(type='OrderedLogitsLoss'),
    train_cfg=dict(num_glances=None, random_patch=True),
    test_cfg=dict(num_glances=12, num_focus=14),
    data_preprocessor=dict(
        type='MultiModalDataPreprocessor',
        preprocessors=dict(
            imgs=dict(
                type='ActionDataPreprocessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                format_shape='NCHW'),
            audios=dict(type='ActionDataPreprocessor', format_shape='NCHW'))))
