from .adafocus_v2 import AdaFocusV2
from .ar_net import ARNet
from .avgn import AVGN
from .uni_adafocus import UniAdaFocus

__all__ = ['ARNet', 'AVGN', 'AdaFocusV2', 'UniAdaFocus']
