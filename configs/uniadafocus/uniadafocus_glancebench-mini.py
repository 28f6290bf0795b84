# Uni-AdaFocus with the small networks of avgn_glancebench-mini.py, which says what the sizes mean:
# 16 glances at 28 px of 48 candidates, 8 close looks at 48 of 112 px.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

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
train_dataloader = dict(dataset=dict(pipeline=train_frames))
val_dataloader = dict(dataset=dict(pipeline=test_frames))
test_dataloader = dict(dataset=dict(pipeline=test_frames))

model = dict(
    type='UniAdaFocus',
    num_frames=48,
    num_glances=16,
    num_focus=8,
    patch_size=48,
    glance_size=28,
    visual_channels=64,
    local_channels=128,
    backbone=dict(type='ConvStack', channels=(16, 32, 64), strides=(1, 2, 2)),
    local_backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    spatial_policy=dict(type='SpatialPolicy', hidden_channels=16),
    temporal_policy=dict(type='TemporalPolicy', hidden_channels=32),
    cls_head=dict(type='GlanceFocusHead', num_classes=8, hidden_channels=256),
    train_cfg=dict(random_patch=True, num_samples=128),
    test_cfg=dict(num_focus=8),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
