# AdaMML with the networks for GlanceBench-mini on GRID's colours; see docs/grid.md.
_base_ = ['./adamml_glancebench-mini.py', '../_base_/datasets/grid_color.py']

model = dict(
    backbone=_base_.grid.start,
    cls_head=dict(num_classes=4),
    audio_backbone=_base_.grid.audio_backbone,
    audio_head=dict(num_classes=4),
    policy=dict(audio_backbone=_base_.grid.audio_backbone))
train_dataloader = dict(dataset=dict(pipeline=_base_.grid.train_pipeline, **_base_.grid.train))
val_dataloader = dict(dataset=dict(pipeline=_base_.grid.test_pipeline, **_base_.grid.val))
test_dataloader = dict(dataset=dict(pipeline=_base_.grid.test_pipeline, **_base_.grid.test))
train_cfg = _base_.grid.train_cfg
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={
    'backbone': _base_.grid.start_lr,
    'audio_backbone': dict(lr_mult=1.0),
    'policy.backbone': dict(lr_mult=1.0),
}))
