# AVGN on Mini-Kinetics (Table 1, k = 14). AdaFocusV2 trains it at 0.003 with batch 48, which is
# the same rate a video as 0.002 with batch 32.
_base_ = [
    '../_base_/models/avgn_mn2_r50.py', '../_base_/datasets/mini_kinetics.py',
    '../_base_/schedules/sgd_50e.py', '../_base_/default_runtime.py'
]
