# Table 6: the patch is the centre of the frame. Without pi there is no place to learn either.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(patch_policy=None, hindsight_loss=None, train_cfg=dict(audio_dropout=None))
