# AdaMML: ResNet-50 at 224 px for frames and MobileNetV2 for log-mel windows, each where a policy of
# two more MobileNetV2 (160 px, and the window) and an LSTM wants it.
model = dict(
    type='AdaMML',
    num_frames=16,
    backbone=dict(type='ResNet', depth=50, pretrained='torchvision://resnet50'),
    cls_head=dict(type='FrameHead', num_classes=200, in_channels=2048, dropout_ratio=0.5),
    audio_backbone=dict(
        type='GlanceMobileNetV2',
        in_channels=1,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
    audio_head=dict(type='FrameHead', num_classes=200, in_channels=1280, dropout_ratio=0.5),
    policy=dict(
        type='ModalityPolicy',
        visual_channels=1280,
        audio_channels=1280,
        image_size=160,
        backbone=dict(
            type='GlanceMobileNetV2',
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2')),
        audio_backbone=dict(
            type='GlanceMobileNetV2',
            in_channels=1,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v2'))),
    # The modalities' own losses stand for the authors' training of each by itself before.
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
