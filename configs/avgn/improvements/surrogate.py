# Pi learns on f_G's maps, as Uni-AdaFocus' does, and in no other way.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(hindsight_loss=None, surrogate_loss=dict(type='PatchSurrogateLoss'))
