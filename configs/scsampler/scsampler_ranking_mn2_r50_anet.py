# SCSampler on ActivityNet, whose light network learns to order frames as ResNet-50's confidence
# does.
_base_ = './scsampler_mn2_r50_anet.py'

model = dict(ranking_loss=dict(type='PairwiseRankingLoss'))
