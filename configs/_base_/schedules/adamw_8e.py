# A short schedule for small networks trained from scratch on a CPU: linear warm-up, then cosine.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=8, val_begin=1, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        begin=2,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True)
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.02),
    # At the full rate pi runs into a corner before f_L can tell what it sees.
    paramwise_cfg=dict(
        custom_keys={
            'spatial_glance': dict(lr_mult=0.15),
            'patch_policy': dict(lr_mult=0.15),
        }),
    clip_grad=dict(max_norm=20, norm_type=2))
auto_scale_lr = dict(enable=False, base_batch_size=16)
