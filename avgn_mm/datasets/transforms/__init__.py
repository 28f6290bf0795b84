"""Transforms from one video file to frames and log-mel spectrograms."""

from .audio import DecodeAudio, LogMel, MaskSpectrogram
from .decoding import AVInit, DecodeFrames
from .sampling import SampleFrameTimes
from .video_reader import MediaReadError

__all__ = [
    'AVInit', 'DecodeAudio', 'DecodeFrames', 'LogMel', 'MaskSpectrogram', 'MediaReadError',
    'SampleFrameTimes'
]
