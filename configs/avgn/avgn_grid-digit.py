# AVGN with the networks for GlanceBench-mini on GRID, which digit is said; see docs/grid.md.
# Its encoder of patches begins with that for colours too.
_base_ = './avgn_grid-color.py'

task = dict(data_root='data/grid-digit', num_classes=10)
model = dict(cls_head=dict(num_classes=10))
train_dataloader = dict(dataset=task)
val_dataloader = dict(dataset=task)
test_dataloader = dict(dataset=task)
