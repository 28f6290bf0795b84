# Table 4, experiment 1: frames alone, chosen evenly over the video.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(audio_backbone=None, temporal_glance=None)
