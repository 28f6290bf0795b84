# AdaMML with small networks: the policy sees 28 px, where the class cannot be told (see
# glancebench_render.py), and every window of sound.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

model = dict(
    type='AdaMML',
    num_frames=16,
    backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    cls_head=dict(type='FrameHead', num_classes=8, in_channels=128, dropout_ratio=0.2),
    audio_backbone=dict(
        type='ConvStack', in_channels=1, channels=(8, 16, 64), strides=(2, 2, 2)),
    audio_head=dict(type='FrameHead', num_classes=8, in_channels=64, dropout_ratio=0.2),
    policy=dict(
        type='ModalityPolicy',
        visual_channels=64,
        audio_channels=64,
        image_size=28,
        hidden_channels=64,
        embed_dims=64,
        backbone=dict(type='ConvStack', channels=(16, 32, 64), strides=(1, 2, 2)),
        audio_backbone=dict(
            type='ConvStack', in_channels=1, channels=(8, 16, 64), strides=(2, 2, 2))),
    train_cfg=dict(usage_weights=(1.0, 0.005), error_penalty=10.0, unimodal_weight=1.0),
    data_preprocessor=dict(
        type='MultiModalDataPreprocessor',
        preprocessors=dict(
            imgs=dict(
                type='ActionDataPreprocessor',
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                format_shape='NCHW'),
            audios=dict(type='ActionDataPreprocessor', format_shape='NCHW'))))

custom_hooks = [dict(type='TemperatureHook', start=5.0, decay=0.3)]
