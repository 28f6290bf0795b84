# FrameExit at the paper's size: ten 224-px frames, ResNet-50.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='FrameExit',
    num_frames=10,
    backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    cls_head=dict(type='PoolingHead', num_classes=200, in_channels=2048),
    gate=dict(type='ExitGate'),
    # The paper trains one model for each budget; beta is what says which.
    exit_loss=dict(type='ExitLoss', beta=1e-3),
    test_cfg=dict(num_focus=None, first_exit_confidence=0.99),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))

train_frames = [
    _base_.train_frames[0],
    dict(type='SampleFrameTimes', num_frames=10),
    *_base_.train_frames[2:],
]
test_frames = [
    _base_.test_frames[0],
    dict(type='SampleFrameTimes', num_frames=10, test_mode=True),
    *_base_.test_frames[2:],
]
