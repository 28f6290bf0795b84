from .adafocus_v2 import AdaFocusV2
from .avgn import AVGN

__all__ = ['AVGN', 'AdaFocusV2']
