# OCSampler on FCVID, N = 6. The classifier is frameexit_r50_fcvid.py, trained before.
_base_ = [
    '../_base_/models/ocsampler_mn2_r50.py', '../_base_/datasets/fcvid.py',
    '../_base_/schedules/ocsampler_50e.py', '../_base_/default_runtime.py'
]

load_from = 'work_dirs/frameexit_r50_fcvid/epoch_50.pth'
model = dict(
    cls_head=dict(num_classes=239),
    train_cfg=dict(num_focus=6),
    test_cfg=dict(num_focus=6))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
