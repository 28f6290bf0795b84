# Table 4, experiment 2: frames alone, chosen by AV-TeST from what they show.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(audio_backbone=None)
