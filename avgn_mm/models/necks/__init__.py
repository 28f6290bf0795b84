from .aespa import AESPA
from .audio_fusion import AudioFusion
from .av_test import AVTeST
from .exit_gate import ExitGate
from .modality_policy import ModalityPolicy
from .patch_policy import PatchPolicy
from .spatial_policy import SpatialPolicy
from .temporal_policy import TemporalPolicy

__all__ = [
    'AESPA', 'AVTeST', 'AudioFusion', 'ExitGate', 'ModalityPolicy', 'PatchPolicy',
    'SpatialPolicy', 'TemporalPolicy'
]
