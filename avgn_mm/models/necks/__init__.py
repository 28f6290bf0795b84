from .aespa import AESPA
from .audio_fusion import AudioFusion
from .av_test import AVTeST
from .patch_policy import PatchPolicy

__all__ = ['AESPA', 'AVTeST', 'AudioFusion', 'PatchPolicy']
