# GlanceBench-mini, made by tools/data/glancebench/generate.py: 8 classes, 112-px videos of 8 s.
num_frames = 16
data_root = 'data/glancebench-mini'
meta_keys = ('filename', 'frame_times', 'frame_inds', 'duration_seconds', 'has_audio', 'img_shape',
             'original_shape', 'crop_quadruple', 'events')
# The decoded set fits into memory; decoding it once leaves the time for training.
cache_bytes = 4 * 1024**3

train_pipeline = [
    dict(type='AVInit', cache_bytes=cache_bytes),
    dict(type='SampleFrameTimes', num_frames=num_frames),
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='DecodeAudio'),
    dict(type='LogMel'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=meta_keys)
]
test_pipeline = [
    dict(type='AVInit', cache_bytes=cache_bytes),
    dict(type='SampleFrameTimes', num_frames=num_frames, test_mode=True),
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='DecodeAudio'),
    dict(type='LogMel'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=meta_keys)
]

# For methods that do not listen.
train_frames = [
    *train_pipeline[:4],
    dict(type='PackActionInputs', meta_keys=meta_keys),
]
test_frames = [
    *test_pipeline[:4],
    dict(type='PackActionInputs', meta_keys=meta_keys),
]

# No worker: with the cache a sample costs less than its way from one process to another.
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/train.txt',
        event_file=f'{data_root}/train_events.json',
        data_prefix=dict(video=data_root),
        num_classes=8,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/val.txt',
        event_file=f'{data_root}/val_events.json',
        data_prefix=dict(video=data_root),
        num_classes=8,
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/test.txt',
        event_file=f'{data_root}/test_events.json',
        data_prefix=dict(video=data_root),
        num_classes=8,
        pipeline=test_pipeline,
        test_mode=True))

val_evaluator = [
    dict(type='AccMetric', metric_list='top_k_accuracy', metric_options=dict(
        top_k_accuracy=dict(topk=(1, )))),
    dict(type='SaliencyMetric'),
    dict(type='PatchHitMetric'),
    dict(type='CostMetric'),
]
test_evaluator = val_evaluator
