# AdaFocusV2 at P = 128 on Mini-Kinetics. The authors train it at 0.003 with batch 48, which is
# the same rate a video as 0.002 with batch 32.
_base_ = [
    '../_base_/models/adafocusv2_mn2_r50.py', '../_base_/datasets/mini_kinetics.py',
    '../_base_/schedules/sgd_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
