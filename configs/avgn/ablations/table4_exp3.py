# Table 4, experiment 3: frames and sound, chosen evenly; the sound of each frame as it is.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(
    temporal_glance=None,
    spatial_glance=None,
    audio_fusion=None,
    train_cfg=dict(audio_dropout=None))
