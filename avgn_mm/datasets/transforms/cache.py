"""Bounded in-memory cache of decoded files, for small sets that are read over and over."""

import os
import threading
from dataclasses import dataclass

import numpy as np

from .audio_reader import AudioReader, cut_windows
from .video_reader import MediaReadError, VideoReader

CACHED_SAMPLE_RATE = 16000


@dataclass(frozen=True)
class CachedVideo:
    """A whole decoded video; reads like a :class:`VideoReader`."""

    frames: np.ndarray  # (n, H, W, 3) RGB uint8
    times: np.ndarray  # (n,) float64 seconds
    duration_seconds: float
    avg_fps: float
    has_audio: bool

    @property
    def decode_costs(self) -> np.ndarray:
        """All frames are there at once."""
        return np.ones(len(self.times), dtype=np.int64)

    def get_frames(self, frame_inds) -> list[np.ndarray]:
        # indexing by an array copies: transforms such as Flip work in place
        return list(self.frames[np.asarray(frame_inds)])

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class CachedAudio:
    """A whole decoded audio track; reads like an :class:`AudioReader`."""

    waveform_start: int  # grid position of the first sample
    waveform: np.ndarray  # (n,) float32 mono
    sample_rate: int = CACHED_SAMPLE_RATE

    def read_windows(self, starts: np.ndarray, num_samples: int) -> np.ndarray:
        return cut_windows(self.waveform, self.waveform_start, starts, num_samples)

    def close(self) -> None:
        pass


class MediaCache:
    """Decoded files, kept until the process ends.

    A file is admitted whole, while it fits; when the bound is reached nothing is thrown out: a
    shuffled epoch reads each file once, so that the least recently used file would always be the
    one needed next. A file that changed on disk is another file.
    """

    def __init__(self) -> None:
        self.used_bytes = 0
        self._entries: dict[tuple, tuple[CachedVideo, CachedAudio | None]] = {}
        self._refused: set[tuple] = set()
        self._lock = threading.Lock()

    @staticmethod
    def key(filename: str) -> tuple:
        status = os.stat(filename)
        return os.fspath(filename), status.st_mtime_ns, status.st_size

    def get(self, key: tuple) -> tuple[CachedVideo, CachedAudio | None] | None:
        return self._entries.get(key)

    def admit(self, key: tuple, video: VideoReader,
              max_bytes: int) -> tuple[CachedVideo, CachedAudio | None] | None:
        """Decode a file and keep it, unless that takes the cache beyond ``max_bytes``.

        Returns:
            tuple | None: The entry, or None where the file does not fit or cannot be decoded from
            end to end.
        """
        with self._lock:
            if key in self._entries:
                return self._entries[key]
            # What a file will take is known before it is decoded, up to a codec's padding.
            expected = video.num_bytes + video.times.nbytes
            if video.has_audio:
                expected += int(video.container_seconds * CACHED_SAMPLE_RATE) * 4
            if key in self._refused or self.used_bytes + expected > max_bytes:
                return None
            try:
                entry = self._load(video)
            except (MediaReadError, ValueError):  # damaged somewhere, or frames of two sizes
                entry = None
            size = _num_bytes(entry) if entry else 0
            if entry is None or self.used_bytes + size > max_bytes:
                self._refused.add(key)
                return None
            self._entries[key] = entry
            self.used_bytes += size
            return entry

    @staticmethod
    def _load(video: VideoReader) -> tuple[CachedVideo, CachedAudio | None]:
        audio = None
        if video.has_audio:
            reader = AudioReader(video.filename, sample_rate=CACHED_SAMPLE_RATE)
            audio = CachedAudio(*reader.read_all())
            reader.close()
        frames = np.stack(video.get_frames(np.arange(len(video.times))))
        return CachedVideo(frames, video.times, video.duration_seconds, video.avg_fps,
                           video.has_audio), audio

    def clear(self) -> None:
        """Forget every file."""
        with self._lock:
            self._entries.clear()
            self._refused.clear()
            self.used_bytes = 0


def _num_bytes(entry: tuple[CachedVideo, CachedAudio | None]) -> int:
    video, audio = entry
    return video.frames.nbytes + video.times.nbytes + (audio.waveform.nbytes if audio else 0)


MEDIA_CACHE = MediaCache()
