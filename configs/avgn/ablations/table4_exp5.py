# Table 4, experiment 5: all but psi.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(audio_fusion=None, train_cfg=dict(audio_dropout=None))
