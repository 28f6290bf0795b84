# AR-Net with small networks: 112 px, 56 px, or the policy network itself at 28 px, where the class
# cannot be told (see glancebench_render.py). All networks learn from all frames, so of these there
# are 8, which keeps the training short.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

train_frames = [
    _base_.train_frames[0],
    dict(type='SampleFrameTimes', num_frames=8),
    *_base_.train_frames[2:],
]
test_frames = [
    _base_.test_frames[0],
    dict(type='SampleFrameTimes', num_frames=8, test_mode=True),
    *_base_.test_frames[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_frames))
val_dataloader = dict(dataset=dict(pipeline=test_frames))
test_dataloader = dict(dataset=dict(pipeline=test_frames))

model = dict(
    type='ARNet',
    num_frames=8,
    visual_channels=64,
    image_size=28,
    embed_dims=128,
    backbone=dict(type='ConvStack', channels=(16, 32, 64), strides=(1, 2, 2)),
    experts=[
        dict(
            backbone=dict(
                type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
            channels=128,
            image_size=112),
        dict(
            backbone=dict(
                type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
            channels=128,
            image_size=56),
    ],
    skips=(1, 2, 4),
    cls_head=dict(type='FrameHead', num_classes=8, dropout_ratio=0.2),
    # From scratch the experts learn on all frames, as in the first stage, while the policy learns
    # to choose. The weight of computation makes up for networks of thousandths of a GMAC.
    train_cfg=dict(
        accuracy_weight=1.0, efficiency_weight=10.0, balance_weight=0.05, experts_weight=1.0),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))

custom_hooks = [dict(type='TemperatureHook', start=5.0, decay=0.3)]
