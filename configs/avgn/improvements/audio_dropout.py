# A fifth of the videos train in silence, another fifth with another video's sound.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(train_cfg=dict(audio_dropout=dict(missing=0.2, wrong=0.2)))
