# AR-Net on ActivityNet, the first stage: every network by itself, on all frames.
_base_ = './arnet_mn2_r50_anet.py'

model = dict(train_cfg=dict(accuracy_weight=0.0, efficiency_weight=0.0, experts_weight=1.0))

# Nothing is drawn that counts, and the policy's choice is not worth a validation.
custom_hooks = []
train_cfg = dict(max_epochs=10, val_begin=10)
# The authors' steps, at epoch 20 and 40, lie behind the end.
param_scheduler = []
optim_wrapper = dict(optimizer=dict(lr=0.02))
