# The encoder of patches that all methods begin with on GRID: it learns from patches half of which
# show the mouth while the word is said, as known from the words' times; see docs/grid.md.
_base_ = './uniform_grid-color.py'

train_frames = [
    *_base_.train_frames[:2],
    dict(type='DecodeEventPatches', patch_size=48, share=0.5, jitter=10),
    *_base_.train_frames[3:],
]
# Tested on all frames, each at the mouth: where is known, when is not.
test_frames = [
    *_base_.test_frames[:2],
    dict(type='DecodeEventPatches', patch_size=48, test_mode=True),
    *_base_.test_frames[3:],
]
train_dataloader = dict(dataset=dict(pipeline=train_frames))
val_dataloader = dict(dataset=dict(pipeline=test_frames))
test_dataloader = dict(dataset=dict(pipeline=test_frames))

model = dict(
    backbone=dict(init_cfg=None),
    train_cfg=dict(num_focus=16),
    test_cfg=dict(num_focus=16))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=1.0))))
val_evaluator = [
    dict(type='AccMetric', metric_list='top_k_accuracy', metric_options=dict(
        top_k_accuracy=dict(topk=(1, )))),
    dict(type='CostMetric'),
]
test_evaluator = val_evaluator
