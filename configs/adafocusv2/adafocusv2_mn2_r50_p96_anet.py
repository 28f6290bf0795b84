# AdaFocusV2 at P = 96 on ActivityNet.
_base_ = './adafocusv2_mn2_r50_p128_anet.py'

model = dict(patch_size=96)
