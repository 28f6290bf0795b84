# AR-Net on ActivityNet, the third stage: the experts go on under a policy that stays as it is,
# drawn from at the temperature of the second stage's best epoch. Set `load_from` to its checkpoint.
_base_ = './arnet_mn2_r50_anet.py'

model = dict(backbone=dict(norm_eval=True))

# exp(-0.045 * 46) * 5 = 0.631
custom_hooks = [dict(type='TemperatureHook', start=0.6309, decay=0.0)]
optim_wrapper = dict(
    optimizer=dict(lr=0.0005),
    # The longest matching key counts.
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.0),
            'experts.0': dict(lr_mult=1.0),
            'experts.1': dict(lr_mult=1.0),
            'experts.2': dict(lr_mult=1.0),
            'lstm': dict(lr_mult=0.0),
            'fc_action': dict(lr_mult=0.0),
        }))
