# What AR-Net trains single networks with: 0.02 at batch 48, SGD, steps. The number of epochs is
# that of its second stage.
_base_ = './arnet_50e.py'

optim_wrapper = dict(optimizer=dict(lr=0.02))
