# FrameExit with a small network from scratch on whole 112-px frames; T = 16.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

model = dict(
    type='FrameExit',
    num_frames=16,
    backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    cls_head=dict(type='PoolingHead', num_classes=8, in_channels=128, hidden_channels=256),
    gate=dict(type='ExitGate', hidden_channels=(64, 32)),
    exit_loss=dict(type='ExitLoss', beta=1e-3),
    test_cfg=dict(num_focus=None, first_exit_confidence=0.99),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
