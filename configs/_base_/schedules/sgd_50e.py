# AdaFocusV2's recipe, which AVGN follows: SGD, cosine, learning rates by part.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=0, T_max=50, by_epoch=True, convert_to_iter_based=True)
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=1e-4),
    # The longest matching key counts.
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.5),
            'audio_backbone': dict(lr_mult=0.5),
            'local_backbone': dict(lr_mult=1.0),
            'spatial_glance': dict(lr_mult=0.1),
            'patch_policy': dict(lr_mult=0.1),
            'cls_head.classifier': dict(lr_mult=5.0),
            'cls_head.visual_classifier': dict(lr_mult=5.0),
            'cls_head.audio_classifier': dict(lr_mult=5.0),
        }),
    clip_grad=dict(max_norm=20, norm_type=2))

# `--auto-scale-lr` scales the learning rate to the batch size in use.
auto_scale_lr = dict(enable=False, base_batch_size=32)
