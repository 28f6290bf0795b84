# The thing to beat: f_L of avgn_glancebench-mini.py on k whole, uniformly sampled frames, no audio.
# Test other k with `--cfg-options test_dataloader.dataset.pipeline.1.num_frames=4`.
_base_ = [
    '../_base_/datasets/glancebench_mini.py', '../_base_/schedules/adamw_8e.py',
    '../_base_/default_runtime.py'
]

num_frames = 8
meta_keys = ('filename', )
train_pipeline = [
    dict(type='AVInit', cache_bytes=_base_.cache_bytes),
    dict(type='SampleFrameTimes', num_frames=num_frames, order='time'),
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys)
]
test_pipeline = [
    dict(type='AVInit', cache_bytes=_base_.cache_bytes),
    dict(type='SampleFrameTimes', num_frames=num_frames, order='time', test_mode=True),
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys)
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [
    dict(type='AccMetric', metric_list='top_k_accuracy', metric_options=dict(
        top_k_accuracy=dict(topk=(1, )))),
    dict(type='CostMetric'),
]
test_evaluator = val_evaluator

model = dict(
    type='Recognizer2D',
    backbone=dict(type='ConvStack', channels=(16, 32, 64, 128), strides=(2, 2, 2, 2)),
    cls_head=dict(
        type='TSNHead', num_classes=8, in_channels=128, dropout_ratio=0.2, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))

# An epoch costs a quarter of AVGN's, so it gets more of them.
train_cfg = dict(max_epochs=12)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        begin=2,
        end=12,
        by_epoch=True,
        convert_to_iter_based=True)
]
