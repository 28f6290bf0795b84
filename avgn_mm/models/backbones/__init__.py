from .conv_stack import ConvStack
from .glance_mobilenet_v2 import GlanceMobileNetV2
from .glance_mobilenet_v2_tsm import GlanceMobileNetV2TSM

__all__ = ['ConvStack', 'GlanceMobileNetV2', 'GlanceMobileNetV2TSM']
