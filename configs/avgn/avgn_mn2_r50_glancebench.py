# AVGN at the paper's size on GlanceBench-full.
_base_ = [
    '../_base_/models/avgn_mn2_r50.py', '../_base_/datasets/glancebench_full.py',
    '../_base_/schedules/sgd_50e.py', '../_base_/default_runtime.py'
]

model = dict(cls_head=dict(num_classes=24))
