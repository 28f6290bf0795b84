# AVGN* on Mini-Kinetics (Table 1): 4 glances, 3 close looks, with the weights of AVGN.
_base_ = './avgn_mn2_r50_minik.py'

model = dict(test_cfg=dict(num_glances=4, num_focus=3))
