# Table 7 without L_A (its header says L_U).
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(cls_head=dict(audio_loss_weight=0.0), train_cfg=dict(audio_dropout=None))
