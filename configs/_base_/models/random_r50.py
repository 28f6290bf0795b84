# ResNet-50 on 10 of 16 frames at random, without sound.
_base_ = './uniform_r50.py'

model = dict(type='Random', test_cfg=dict(num_focus=10))
