# FrameExit on FCVID.
_base_ = [
    '../_base_/models/frameexit_r50.py', '../_base_/datasets/fcvid.py',
    '../_base_/schedules/frameexit_50e.py', '../_base_/default_runtime.py'
]

model = dict(cls_head=dict(num_classes=239))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
