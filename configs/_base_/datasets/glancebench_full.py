# GlanceBench-full, made by tools/data/glancebench/generate.py --size full: 24 classes, 256-px
# videos of 20 to 30 s.
_base_ = './audio_visual_224.py'

data_root = 'data/glancebench-full'
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/train.txt',
        event_file=f'{data_root}/train_events.json',
        data_prefix=dict(video=data_root),
        num_classes=24,
        pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/val.txt',
        event_file=f'{data_root}/val_events.json',
        data_prefix=dict(video=data_root),
        num_classes=24,
        pipeline={{_base_.test_pipeline}},
        test_mode=True))
test_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GlanceBenchDataset',
        ann_file=f'{data_root}/test.txt',
        event_file=f'{data_root}/test_events.json',
        data_prefix=dict(video=data_root),
        num_classes=24,
        pipeline={{_base_.test_pipeline}},
        test_mode=True))

val_evaluator = [
    dict(type='AccMetric'),
    dict(type='SaliencyMetric'),
    dict(type='PatchHitMetric'),
    dict(type='CostMetric'),
]
test_evaluator = val_evaluator
