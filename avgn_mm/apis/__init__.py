"""From a path to an answer."""

from .highlights import HighlightFinder, Highlights, cut_clip
from .inferencer import AVInferencer, VideoResult
from .lazy_frames import FrameSource, LazyFrames

__all__ = [
    'AVInferencer', 'FrameSource', 'HighlightFinder', 'Highlights', 'LazyFrames', 'VideoResult',
    'cut_clip'
]
