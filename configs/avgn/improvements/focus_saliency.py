# Frames are salient where f_L's own classifier is right, instead of where f_C is sure.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(saliency_target='focus')
