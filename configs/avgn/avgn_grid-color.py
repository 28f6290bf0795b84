# AVGN with the networks for GlanceBench-mini on GRID's colours; see docs/grid.md.
_base_ = ['./avgn_glancebench-mini.py', '../_base_/datasets/grid_color.py']

model = dict(
    local_backbone=_base_.grid.start,
    audio_backbone=_base_.grid.audio_backbone,
    cls_head=dict(num_classes=4),
    # Not the paper's: eq. 11 and 12 with L1 found no word here (improvements/paper_saliency.py).
    saliency_loss=dict(type='ListwiseSaliencyLoss'),
    saliency_target='focus',
    # Without audio_dropout, as in the paper: sound tells more than lips here, and to mistrust it
    # costs accuracy (docs/results.md).
    train_cfg=dict(_delete_=True, num_glances=None, random_patch=True))
train_dataloader = dict(dataset=dict(pipeline=_base_.grid.train_pipeline, **_base_.grid.train))
val_dataloader = dict(dataset=dict(pipeline=_base_.grid.test_pipeline, **_base_.grid.val))
test_dataloader = dict(dataset=dict(pipeline=_base_.grid.test_pipeline, **_base_.grid.test))
train_cfg = _base_.grid.train_cfg
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(local_backbone=_base_.grid.start_lr)))
