"""MobileNetV2 for frames and for one-channel log-mel windows: f_G and f_A (AVGN section 3.1)."""

import torch
from mmaction.models import MobileNetV2
from mmengine.runner import CheckpointLoader
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class GlanceMobileNetV2(MobileNetV2):
    """MMAction2's MobileNetV2 with a choice of input channels and torchvision's weights.

    MMAction2's class has a stem of three channels and reads weights with its own key names only.
    Torchvision's checkpoint lists the same tensors in the same order under other names, so they
    are matched by position and shape. With one input channel the stem takes the mean of the RGB
    kernels, as AdaMML (Panda et al., ICCV 2021) starts its audio encoder from ImageNet.

    Args:
        in_channels (int): 3 for frames, 1 for log-mel windows. Defaults to 3.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...)`` with a checkpoint of
            torchvision's or of this class; or MMEngine's initialisers. Defaults to None, which
            means Kaiming.
        **kwargs: Of MMAction2's ``MobileNetV2``.

    A 3 x 224 x 224 frame becomes 1280 x 7 x 7, a 1 x 96 x 64 window 1280 x 3 x 2.
    """

    def __init__(self, *, in_channels: int = 3, init_cfg: dict | None = None, **kwargs) -> None:
        if init_cfg is None:
            super().__init__(**kwargs)
        else:
            super().__init__(init_cfg=init_cfg, **kwargs)
        if in_channels != 3:
            stem = self.conv1.conv
            self.conv1.conv = nn.Conv2d(
                in_channels, stem.out_channels, 3, stride=2, padding=1, bias=False)

    def init_weights(self) -> None:
        """Load the pre-trained weights if there are any, else initialise as MMAction2 does.

        Raises:
            ValueError: If the checkpoint's tensors are not those of this network.
        """
        init_cfg = self.init_cfg
        if not (isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'):
            super().init_weights()
            return
        filename = init_cfg['checkpoint']
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
        self.load_state_dict(self._match(checkpoint.get('state_dict', checkpoint), filename))
        self._is_init = True

    def _match(self, weights: dict[str, torch.Tensor], filename: str) -> dict[str, torch.Tensor]:
        """Give the tensors of a checkpoint the names of this network's."""
        own = self.state_dict()
        features = {
            key: value for key, value in weights.items()
            # Old checkpoints do not count batches; the classifier has no place here.
            if not key.startswith(('classifier', 'fc')) and not key.endswith('num_batches_tracked')
        }
        names = [key for key in own if not key.endswith('num_batches_tracked')]
        if len(features) != len(names):
            raise ValueError(f'{filename} holds {len(features)} tensors besides a classifier, '
                             f'MobileNetV2 has {len(names)}: it is of another network')
        matched = dict(own)
        for name, (key, value) in zip(names, features.items()):
            if name == 'conv1.conv.weight' and own[name].shape[1] == 1:
                value = value.mean(dim=1, keepdim=True)
            # Of a batch norm all four tensors have one shape; the last part of the key differs.
            if value.shape != own[name].shape or key.split('.')[-1] != name.split('.')[-1]:
                raise ValueError(f'{filename}: {key} of shape {tuple(value.shape)} stands where '
                                 f'{name} of shape {tuple(own[name].shape)} should')
            matched[name] = value
        return matched
