# L_ord draws frames by their saliency nearly as inference picks them: with the paper's tau unsaid
# and ours of 1, the draw is nearly an even one.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(ordered_loss=dict(tau=0.1))
