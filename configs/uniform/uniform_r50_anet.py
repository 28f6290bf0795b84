# ResNet-50 on 16 frames on ActivityNet.
_base_ = [
    '../_base_/models/uniform_r50.py', '../_base_/datasets/activitynet.py',
    '../_base_/schedules/tsn_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
