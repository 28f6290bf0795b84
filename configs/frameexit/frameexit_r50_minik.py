# FrameExit on Mini-Kinetics, where a less sure first frame is enough.
_base_ = [
    '../_base_/models/frameexit_r50.py', '../_base_/datasets/mini_kinetics.py',
    '../_base_/schedules/frameexit_50e.py', '../_base_/default_runtime.py'
]

model = dict(test_cfg=dict(first_exit_confidence=0.95))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
