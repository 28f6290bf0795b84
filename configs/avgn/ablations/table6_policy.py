# Table 6: pi places the patch by sight alone, without AESPA.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(spatial_glance=None, train_cfg=dict(audio_dropout=None))
