"""MobileNetV2 with temporal shift from ImageNet weights: OCSampler's skim network."""

from mmaction.models import MobileNetV2TSM

from avgn_mm.registry import MODELS

from .glance_mobilenet_v2 import GlanceMobileNetV2


@MODELS.register_module()
class GlanceMobileNetV2TSM(GlanceMobileNetV2, MobileNetV2TSM):
    """MMAction2's MobileNetV2TSM that reads torchvision's weights.

    The shift wraps layers without adding or reordering tensors, so that the weights are matched by
    position as in ``GlanceMobileNetV2``.

    Args:
        num_segments (int): T, the frames of a video; they must come in time order, video after
            video.
        shift_div (int): One of so many channels comes from the next frame and one from the
            previous. Defaults to 8.
        **kwargs: Of ``GlanceMobileNetV2``.
    """

    def __init__(self, *, num_segments: int, shift_div: int = 8, **kwargs) -> None:
        # MMAction2's own way to read weights of a network without shift knows its names only.
        super().__init__(
            num_segments=num_segments, shift_div=shift_div, pretrained2d=False, **kwargs)
