# AdaMML's recipe without its warm-up and fine-tuning: 0.001 at batch 72, SGD, steps; ten times that
# for the policy, for which the authors use Adam.
_base_ = './sgd_50e.py'

train_cfg = dict(max_epochs=20)
param_scheduler = [dict(type='MultiStepLR', milestones=[10, 15], gamma=0.1, by_epoch=True)]
optim_wrapper = dict(
    optimizer=dict(lr=0.001),
    paramwise_cfg=dict(custom_keys=dict(_delete_=True, policy=dict(lr_mult=10.0))))
auto_scale_lr = dict(base_batch_size=72)
