# OCSampler on Mini-Kinetics, N = 4. The classifier is frameexit_r50_minik.py, trained before.
_base_ = [
    '../_base_/models/ocsampler_mn2_r50.py', '../_base_/datasets/mini_kinetics.py',
    '../_base_/schedules/ocsampler_50e.py', '../_base_/default_runtime.py'
]

load_from = 'work_dirs/frameexit_r50_minik/epoch_50.pth'
model = dict(
    sampler=dict(shift_div=8),
    train_cfg=dict(num_focus=4),
    test_cfg=dict(num_focus=4))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
