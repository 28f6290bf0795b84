# AdaFocusV2 with the small networks of avgn_glancebench-mini.py, which says what the sizes mean.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(
    type='AdaFocusV2',
    num_frames=16,
    patch_size=48,
    glance_size=28,
    visual_channels=64,
    local_channels=128,
    backbone=dict(type='ConvStack', channels=(16, 32, 64), strides=(1, 2, 2)),
    local_backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    patch_policy=dict(type='PatchPolicy', hidden_channels=32, embed_dims=128),
    cls_head=dict(
        type='AVGNHead', num_classes=8, hidden_channels=256, pooled_visual=False),
    # Not the paper's, as in AVGN's config for this set: with it both learn *where* alike.
    hindsight_loss=dict(type='HindsightLoss', loss_weight=5.0),
    train_cfg=dict(random_patch=True),
    test_cfg=dict(num_focus=8),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
