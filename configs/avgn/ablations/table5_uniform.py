# Table 5: all but AV-TeST; frames are chosen evenly over the video.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(temporal_glance=None, train_cfg=dict(audio_dropout=None))
