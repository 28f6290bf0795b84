# AVGN* on FCVID (Table 1): 4 glances, 5 close looks, with the weights of AVGN.
_base_ = './avgn_mn2_r50_fcvid.py'

model = dict(test_cfg=dict(num_glances=4, num_focus=5))
