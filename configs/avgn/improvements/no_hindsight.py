# As the paper has it, pi learns through the crop alone: for data whose AVGN has hindsight_loss.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(hindsight_loss=None)
