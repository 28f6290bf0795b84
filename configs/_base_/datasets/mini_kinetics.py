# Mini-Kinetics: 200 classes of Kinetics-400, 121k training and 10k validation videos. The lists are
# written by tools/data/mini_kinetics/prepare.py, for the set of 80k and 5k videos alike.
_base_ = './audio_visual_224.py'

data_root = 'data/MiniKinetics'
dataset_cfg = dict(
    type='AudioVisualDataset',
    num_classes=200,
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

val_evaluator = [dict(type='AccMetric'), dict(type='CostMetric')]
test_evaluator = val_evaluator
