# Sixteen 224-px frames without sound: `train_frames` and `test_frames`, which the configs of
# methods that do not listen put in the place of a data set's own pipelines.
frame_meta_keys = ('filename', 'frame_times', 'frame_inds', 'duration_seconds',
                   'img_shape', 'original_shape', 'crop_quadruple', 'events')

train_frames = [
    dict(type='AVInit'),
    dict(type='SampleFrameTimes', num_frames=16),
    dict(type='DecodeFrames'),
    dict(type='Resize', scale=(-1, 256)),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75, 0.66),
        random_crop=False,
        num_fixed_crops=13,
        max_wh_scale_gap=1),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=frame_meta_keys)
]
test_frames = [
    dict(type='AVInit'),
    dict(type='SampleFrameTimes', num_frames=16, test_mode=True),
    dict(type='DecodeFrames'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=frame_meta_keys)
]
