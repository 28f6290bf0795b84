# FrameExit's training code was never released: this is AdaFocusV2's recipe, whose classifier is
# FrameExit's. Its rate for a network from ImageNet, five times that for what starts from nothing.
_base_ = './sgd_50e.py'

optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            _delete_=True,
            **{
                'cls_head.classifier': dict(lr_mult=5.0),
                'gates': dict(lr_mult=5.0),
            })))
