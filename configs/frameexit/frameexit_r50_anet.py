# FrameExit on ActivityNet.
_base_ = [
    '../_base_/models/frameexit_r50.py', '../_base_/datasets/activitynet.py',
    '../_base_/schedules/frameexit_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
