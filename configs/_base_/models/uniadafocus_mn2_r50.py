# Uni-AdaFocus with patches of one size: 16 glances of 48 candidates by MobileNetV2 at 224 px,
# 16 close looks by ResNet-50 at P = 128.
_base_ = '../datasets/frames_224.py'

train_frames = [
    _base_.train_frames[0],
    dict(type='SampleFrameTimes', num_frames=48),
    *_base_.train_frames[2:],
]
test_frames = [
    _base_.test_frames[0],
    dict(type='SampleFrameTimes', num_frames=48, test_mode=True),
    *_base_.test_frames[2:],
]

model = dict(
    type='UniAdaFocus',
    num_frames=48,
    num_glances=16,
    num_focus=16,
    patch_size=128,
    visual_channels=1280,
    local_channels=2048,
    backbone=dict(
        type='GlanceMobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    local_backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    spatial_policy=dict(type='SpatialPolicy'),
    temporal_policy=dict(type='TemporalPolicy'),
    cls_head=dict(type='GlanceFocusHead', num_classes=200),
    train_cfg=dict(random_patch=True, num_samples=128),
    test_cfg=dict(num_focus=16),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
