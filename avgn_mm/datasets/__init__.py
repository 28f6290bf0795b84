from . import transforms
from .audio_visual_dataset import AudioVisualDataset
from .glancebench import GlanceBenchDataset
from .highlight_dataset import HighlightDataset, SampleWindow

__all__ = [
    'AudioVisualDataset', 'GlanceBenchDataset', 'HighlightDataset', 'SampleWindow', 'transforms'
]
