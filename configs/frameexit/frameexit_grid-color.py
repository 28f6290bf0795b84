# FrameExit with the networks for GlanceBench-mini on GRID's colours; see docs/grid.md.
_base_ = ['./frameexit_glancebench-mini.py', '../_base_/datasets/grid_color.py']

model = dict(backbone=_base_.grid.start, cls_head=dict(num_classes=4))
train_dataloader = dict(dataset=_base_.grid.train)
val_dataloader = dict(dataset=_base_.grid.val)
test_dataloader = dict(dataset=_base_.grid.test)
train_cfg = _base_.grid.train_cfg
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=_base_.grid.start_lr)))
