# Pi learns from the better of two patches, not through the crop, as on GlanceBench anyway.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(hindsight_loss=dict(type='HindsightLoss', loss_weight=5.0))
