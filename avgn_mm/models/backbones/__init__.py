from .conv_stack import ConvStack
from .glance_mobilenet_v2 import GlanceMobileNetV2

__all__ = ['ConvStack', 'GlanceMobileNetV2']
