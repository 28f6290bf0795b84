# AR-Net: ResNet-50 at 224 px, ResNet-34 at 168, ResNet-18 at 112, and MobileNetV2 at 84, which is
# the policy network; or a skip of 1, 2 or 4 frames.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='ARNet',
    num_frames=16,
    visual_channels=1280,
    image_size=84,
    backbone=dict(
        type='GlanceMobileNetV2',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    experts=[
        dict(
            backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
            channels=2048,
            image_size=224),
        dict(
            backbone=dict(type='ResNet', depth=34, pretrained='torchvision://resnet34'),
            channels=512,
            image_size=168),
        dict(
            backbone=dict(type='ResNet', depth=18, pretrained='torchvision://resnet18'),
            channels=512,
            image_size=112),
    ],
    skips=(1, 2, 4),
    cls_head=dict(type='FrameHead', num_classes=200, dropout_ratio=0.5),
    train_cfg=dict(
        accuracy_weight=0.95, efficiency_weight=0.05, balance_weight=3.0, experts_weight=0.0),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
