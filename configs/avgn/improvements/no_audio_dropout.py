# As in the paper, sound is always the video's own: for data whose AVGN has audio_dropout.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(train_cfg=dict(audio_dropout=None))
