# FCVID: 239 classes, 45,611 training and 45,612 test videos; some have several labels. The lists
# are written by tools/data/fcvid/prepare.py.
_base_ = './audio_visual_224.py'

data_root = 'data/FCVID'
dataset_cfg = dict(
    type='AudioVisualDataset',
    multi_class=True,
    num_classes=239,
    data_prefix=dict(video=f'{data_root}/videos'))

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset_cfg, ann_file=f'{data_root}/train.txt', pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset_cfg,
        ann_file=f'{data_root}/val.txt',
        pipeline={{_base_.test_pipeline}},
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='AccMetric', metric_list=('mean_average_precision', )),
    dict(type='CostMetric'),
]
test_evaluator = val_evaluator
