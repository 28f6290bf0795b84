# Uni-AdaFocus at P = 128 on Mini-Kinetics. The authors' 0.003 with batch 48 is
# the same rate a video.
_base_ = [
    '../_base_/models/uniadafocus_mn2_r50.py', '../_base_/datasets/mini_kinetics.py',
    '../_base_/schedules/uniadafocus_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(cls_head=dict(frame_dropout_ratio=0.1))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
