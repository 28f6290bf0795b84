# OCSampler's recipe: 50 epochs of SGD at 0.005 with 8 x 40 videos a batch, cosine.
_base_ = './sgd_50e.py'

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=40, norm_type=2))

auto_scale_lr = dict(enable=False, base_batch_size=320)
