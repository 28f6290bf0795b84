# L_ord draws frames by their saliency nearly as inference picks them. The paper does not say tau;
# with ours of 1 a frame comes first at most 2.7 times as often as another.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(ordered_loss=dict(tau=0.1))
