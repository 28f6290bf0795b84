# AR-Net on FCVID, the second stage of training: policy and experts at once.
_base_ = [
    '../_base_/models/arnet_mn2_r50.py', '../_base_/datasets/fcvid.py',
    '../_base_/schedules/arnet_50e.py', '../_base_/default_runtime.py'
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_frames))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_frames))

model = dict(cls_head=dict(num_classes=239))

custom_hooks = [dict(type='TemperatureHook', start=5.0, decay=0.045)]
