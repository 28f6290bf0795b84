# Pi chooses among 9 x 9 places, straight-through; neighbours lie whole pixels apart.
_base_ = '../avgn_mn2_r50_anet.py'

model = dict(patch_policy=dict(num_places=9))
