# Random frames, k of 16, whole and without sound; the network learns from 8.
# Test other k with `--cfg-options model.test_cfg.num_focus=8`.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(
    type='Random',
    num_frames=16,
    backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    cls_head=dict(type='FrameHead', num_classes=8, in_channels=128, dropout_ratio=0.2),
    train_cfg=dict(num_focus=8),
    test_cfg=dict(num_focus=4),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
