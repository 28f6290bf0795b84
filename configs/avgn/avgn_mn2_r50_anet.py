# AVGN on ActivityNet (Table 1, k = 14).
_base_ = [
    '../_base_/models/avgn_mn2_r50.py', '../_base_/datasets/activitynet.py',
    '../_base_/schedules/sgd_50e.py', '../_base_/default_runtime.py'
]
