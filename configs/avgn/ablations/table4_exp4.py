# Table 4, experiment 4: AV-TeST, but neither AESPA nor psi.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(spatial_glance=None, audio_fusion=None, train_cfg=dict(audio_dropout=None))
