# OCSampler at the paper's size: MobileNetV2-TSM skims ten frames at 128 px, FrameExit's ResNet-50
# classifies the chosen ones at 224 px. The classifier's weights come by `load_from`.
_base_ = '../datasets/frames_224.py'

model = dict(
    type='OCSampler',
    num_frames=10,
    sampler=dict(
        type='GlanceMobileNetV2TSM',
        num_segments=10,
        shift_div=10,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    sampler_channels=1280,
    sampler_size=128,
    backbone=dict(type='ResNet', depth=50),
    cls_head=dict(type='PoolingHead', num_classes=200, in_channels=2048),
    subset_loss=dict(type='SubsetPolicyLoss'),
    train_cfg=dict(num_focus=5),
    test_cfg=dict(num_focus=5),
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
