# AdaMML on GlanceBench-full.
_base_ = [
    '../_base_/models/adamml_mn2_r50.py', '../_base_/datasets/glancebench_full.py',
    '../_base_/schedules/adamml_20e.py', '../_base_/default_runtime.py'
]

model = dict(cls_head=dict(num_classes=24), audio_head=dict(num_classes=24))
# 0.965 an epoch.
custom_hooks = [dict(type='TemperatureHook', start=5.0, decay=0.0356)]
