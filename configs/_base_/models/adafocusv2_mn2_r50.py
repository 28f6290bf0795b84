# AdaFocusV2: T = 16, MobileNetV2 at 224 px, ResNet-50 at P = 128.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='AdaFocusV2',
    num_frames=16,
    patch_size=128,
    visual_channels=1280,
    local_channels=2048,
    backbone=dict(
        type='GlanceMobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    local_backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    patch_policy=dict(type='PatchPolicy', embed_dims=2048),
    cls_head=dict(type='AVGNHead', num_classes=200, pooled_visual=False),
    train_cfg=dict(random_patch=True),
    test_cfg=dict(num_focus=16),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
