# Table 7 without L_mask.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(mask_loss=dict(loss_weight=0.0), train_cfg=dict(audio_dropout=None))
