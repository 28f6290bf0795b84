# Sixteen 224-px frames and their log-mel windows, straight from video files.
num_frames = 16
# `events` is there only where the truth is known, as in GlanceBench.
meta_keys = ('filename', 'frame_times', 'frame_inds', 'duration_seconds', 'has_audio', 'img_shape',
             'original_shape', 'crop_quadruple', 'events')

train_pipeline = [
    dict(type='AVInit'),
    dict(type='SampleFrameTimes', num_frames=num_frames),
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
    dict(type='DecodeAudio'),
    dict(type='LogMel'),
    dict(type='MaskSpectrogram'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=meta_keys)
]
test_pipeline = [
    dict(type='AVInit'),
    dict(type='SampleFrameTimes', num_frames=num_frames, test_mode=True),
    dict(type='DecodeFrames'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='DecodeAudio'),
    dict(type='LogMel'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=meta_keys)
]
