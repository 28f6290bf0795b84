# ResNet-50 on 10 random frames and MobileNetV2 on their windows of sound, fused late, on
# ActivityNet.
_base_ = [
    '../_base_/models/random_r50.py', '../_base_/datasets/activitynet.py',
    '../_base_/schedules/tsn_50e.py', '../_base_/default_runtime.py'
]

model = dict(
    audio_backbone=dict(
        type='GlanceMobileNetV2',
        in_channels=1,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    audio_head=dict(type='FrameHead', num_classes=200, in_channels=1280, dropout_ratio=0.5),
    data_preprocessor=dict(
        _delete_=True,
        type='MultiModalDataPreprocessor',
        preprocessors=dict(
            imgs=dict(
                type='ActionDataPreprocessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                format_shape='NCHW'),
            audios=dict(type='ActionDataPreprocessor', format_shape='NCHW'))))
