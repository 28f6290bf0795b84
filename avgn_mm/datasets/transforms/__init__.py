"""Transforms from one video file to frames and log-mel spectrograms."""

from .audio import DecodeAudio, LogMel, MaskSpectrogram
from .audio_corruption import CorruptAudio
from .decoding import AVInit, DecodeFrames
from .events import DecodeEventPatches
from .sampling import SampleFrameTimes
from .video_reader import MediaReadError

__all__ = [
    'AVInit', 'CorruptAudio', 'DecodeAudio', 'DecodeEventPatches', 'DecodeFrames', 'LogMel',
    'MaskSpectrogram', 'MediaReadError', 'SampleFrameTimes'
]
