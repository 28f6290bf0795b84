# OCSampler with the networks for GlanceBench-mini on GRID's colours; see docs/grid.md.
_base_ = ['./ocsampler_glancebench-mini.py', '../_base_/datasets/grid_color.py']

load_from = 'work_dirs/frameexit_grid-color/epoch_8.pth'
model = dict(cls_head=dict(num_classes=4))
train_dataloader = dict(dataset=_base_.grid.train)
val_dataloader = dict(dataset=_base_.grid.val)
test_dataloader = dict(dataset=_base_.grid.test)
train_cfg = _base_.grid.train_cfg
