"""From a path to an answer."""

from .inferencer import AVInferencer, VideoResult
from .lazy_frames import FrameSource, LazyFrames

__all__ = ['AVInferencer', 'FrameSource', 'LazyFrames', 'VideoResult']
