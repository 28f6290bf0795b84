# OCSampler with small networks: the sampler sees 28 px, where the class cannot be told. The
# classifier is frameexit_glancebench-mini.py, trained before.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

load_from = 'work_dirs/frameexit_glancebench-mini/epoch_8.pth'
model = dict(
    type='OCSampler',
    num_frames=16,
    sampler=dict(type='ConvStack', channels=(16, 32, 64), strides=(1, 2, 2)),
    sampler_channels=64,
    sampler_size=28,
    resize_mode='area',
    backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    cls_head=dict(type='PoolingHead', num_classes=8, in_channels=128, hidden_channels=256),
    subset_loss=dict(type='SubsetPolicyLoss'),
    train_cfg=dict(num_focus=4),
    test_cfg=dict(num_focus=4),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
