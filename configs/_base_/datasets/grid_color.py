# GRID, which colour is said, made by tools/data/grid/prepare.py: 4 classes, 112-px videos of 2 s.
# The methods' grid configs are those for GlanceBench-mini with these values. They are names of
# their own here, because two base files may not set the same one.
_set = dict(data_root='data/grid-color', data_prefix=dict(video=''), num_classes=4)
grid = dict(
    train=dict(ann_file='train.txt', event_file='train_events.json', **_set),
    val=dict(ann_file='val.txt', event_file='val_events.json', **_set),
    test=dict(ann_file='test.txt', event_file='test_events.json', **_set),
    # Words need a wider view of the log-mel window than GlanceBench's sounds.
    audio_backbone=dict(channels=(8, 16, 32, 64, 64), strides=(2, 2, 2, 2, 2)),
    train_cfg=dict(max_epochs=16, val_begin=16, val_interval=16),
    param_scheduler=[
        dict(
            type='LinearLR', start_factor=0.05, end=2, by_epoch=True, convert_to_iter_based=True),
        dict(
            type='CosineAnnealingLR',
            eta_min=0,
            begin=2,
            end=16,
            by_epoch=True,
            convert_to_iter_based=True)
    ])
