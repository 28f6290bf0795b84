# SCSampler on FCVID.
_base_ = [
    '../_base_/models/scsampler_mn2_r50.py', '../_base_/datasets/fcvid.py',
    '../_base_/schedules/tsn_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(cls_head=dict(num_classes=239), light_head=dict(num_classes=239))
