# Uni-AdaFocus' recipe for ActivityNet: AdaFocusV2's with other rates and weight decay.
_base_ = './sgd_50e.py'

optim_wrapper = dict(
    optimizer=dict(weight_decay=2e-4),
    paramwise_cfg=dict(
        custom_keys={
            'spatial_policy': dict(lr_mult=0.2),
            'temporal_policy': dict(lr_mult=0.2),
            'cls_head.fc_visual': dict(lr_mult=0.5),
            'cls_head.fc_spatial': dict(lr_mult=0.5),
            'cls_head.glance_classifier': dict(lr_mult=20.0),
            'cls_head.focus_classifier': dict(lr_mult=20.0),
        }))
