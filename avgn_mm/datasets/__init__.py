from . import transforms
from .audio_visual_dataset import AudioVisualDataset
from .glancebench import GlanceBenchDataset

__all__ = ['AudioVisualDataset', 'GlanceBenchDataset', 'transforms']
