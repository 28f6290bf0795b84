# ResNet-50 on 10 random frames and MobileNetV2 on their windows of sound, fused late, on
# ActivityNet.
_base_ = '../uniform/uniform_av_r50_anet.py'

model = dict(type='Random', test_cfg=dict(num_focus=10))
