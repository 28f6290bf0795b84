from .adafocus_v2 import AdaFocusV2
from .adamml import AdaMML
from .ar_net import ARNet
from .avgn import AVGN
from .frame_exit import FrameExit
from .oc_sampler import OCSampler
from .samplers import Random, Uniform
from .scsampler import SCSampler
from .selective import Answer, SelectiveRecognizer, encode, take
from .uni_adafocus import UniAdaFocus

__all__ = [
    'ARNet', 'AVGN', 'AdaFocusV2', 'AdaMML', 'Answer', 'FrameExit', 'OCSampler', 'Random',
    'SCSampler', 'SelectiveRecognizer', 'UniAdaFocus', 'Uniform', 'encode', 'take'
]
