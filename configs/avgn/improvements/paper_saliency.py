# The paper's eq. 11 and 12 with L1: for data whose AVGN has a listwise loss on the focus branch.
_base_ = '../avgn_mn2_r50_anet.py'

# The same loss by its full name, so that it stands among what this config changes.
model = dict(saliency_loss=dict(type='avgn_mm.SaliencyLoss'), saliency_target='fused')
