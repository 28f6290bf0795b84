# Uni-AdaFocus at P = 128 on FCVID. The authors' 0.004 with batch 64 is the
# same rate a video.
_base_ = [
    '../_base_/models/uniadafocus_mn2_r50.py', '../_base_/datasets/fcvid.py',
    '../_base_/schedules/uniadafocus_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(cls_head=dict(num_classes=239))

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
