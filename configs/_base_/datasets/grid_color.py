# GRID, which colour is said, made by tools/data/grid/prepare.py: 4 classes, 112-px videos of 2 s.
# The methods' grid configs are those for GlanceBench-mini with these values. They are names of
# their own here, because two base files may not set the same one.
_meta_keys = ('filename', 'frame_times', 'frame_inds', 'duration_seconds', 'has_audio', 'img_shape',
              'original_shape', 'crop_quadruple', 'events')
# Words last 0.2 to 0.3 s: a window of the usual second would hear several of them. This one is
# 32 steps of 10 ms long.
_sound = [
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='DecodeAudio', window_seconds=0.335),
    dict(type='LogMel'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=_meta_keys),
]
_open = dict(type='AVInit', cache_bytes=4 * 1024**3)
_set = dict(data_root='data/grid-color', data_prefix=dict(video=''), num_classes=4)
grid = dict(
    train=dict(ann_file='train.txt', event_file='train_events.json', **_set),
    val=dict(ann_file='val.txt', event_file='val_events.json', **_set),
    test=dict(ann_file='test.txt', event_file='test_events.json', **_set),
    # For methods that listen; the others have GlanceBench-mini's.
    train_pipeline=[_open, dict(type='SampleFrameTimes', num_frames=16), *_sound],
    test_pipeline=[_open, dict(type='SampleFrameTimes', num_frames=16, test_mode=True), *_sound],
    # Words need a wider view of the log-mel window than GlanceBench's sounds.
    audio_backbone=dict(channels=(8, 16, 32, 64, 64), strides=(2, 2, 2, 2, 2)),
    # What looks at patches begins with what tells colours from the lips, as networks for larger
    # sets begin with ImageNet's weights, and learns more slowly than what is new.
    start=dict(init_cfg=dict(
        type='Pretrained',
        checkpoint='work_dirs/uniform_grid-color_patches/epoch_8.pth',
        prefix='backbone.')),
    start_lr=dict(lr_mult=0.1),
    train_cfg=dict(val_begin=8, val_interval=8))
