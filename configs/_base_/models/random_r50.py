# ResNet-50 on 10 of 16 frames at random, without sound.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='Random',
    num_frames=16,
    backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    cls_head=dict(type='FrameHead', num_classes=200, in_channels=2048, dropout_ratio=0.5),
    test_cfg=dict(num_focus=10),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
