# SCSampler as Table 1 costs it: MobileNetV2 at 84 px scores 16 frames, ResNet-50 sees the best 10.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='SCSampler',
    num_frames=16,
    light_size=84,
    light_backbone=dict(
        type='GlanceMobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    light_head=dict(type='FrameHead', num_classes=200, in_channels=1280, dropout_ratio=0.5),
    backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    cls_head=dict(type='FrameHead', num_classes=200, in_channels=2048, dropout_ratio=0.5),
    test_cfg=dict(num_focus=10),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
