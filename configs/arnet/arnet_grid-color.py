# AR-Net with the networks for GlanceBench-mini on GRID's colours; see docs/grid.md.
_base_ = ['./arnet_glancebench-mini.py', '../_base_/datasets/grid_color.py']

experts = _base_.model.experts
for expert in experts:
    expert.backbone.update(_base_.grid.start)

model = dict(experts=experts, cls_head=dict(num_classes=4))
train_dataloader = dict(dataset=_base_.grid.train)
val_dataloader = dict(dataset=_base_.grid.val)
test_dataloader = dict(dataset=_base_.grid.test)
train_cfg = _base_.grid.train_cfg
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={
    'experts.0.backbone': _base_.grid.start_lr,
    'experts.1.backbone': _base_.grid.start_lr,
}))
