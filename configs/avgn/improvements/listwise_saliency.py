# The saliency as a distribution over the frames (ListNet) instead of L1.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(saliency_loss=dict(type='ListwiseSaliencyLoss'))
