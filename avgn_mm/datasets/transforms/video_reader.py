"""Frames of one video file by index, with their true presentation times.

The index comes from the container's packets (PyAV), so that times are right for variable frame
rates, late starts and edit lists. The frames come from decord where it returns the very frame
that was asked for, else from PyAV: decord 0.6 silently returns wrong frames for MPEG-TS, for AVI
with B-frames and for open groups of pictures, and counts frames that an edit list hides.
"""

from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.video.reformatter import VideoReformatter

BACKENDS = ('auto', 'decord', 'pyav')
# Names of FFmpeg's demuxers in whose files decord seeks exactly.
_DECORD_FORMATS = ('mp4', 'matroska')
# A frame the decoder leaves out is shown as a player shows it, by the one before, this long.
_HOLD_SECONDS = 0.5


class MediaReadError(RuntimeError):
    """A media file cannot be read; the message names the file and the reason."""


def open_container(filename: str) -> 'av.container.InputContainer':
    """Open a file with PyAV.

    Raises:
        MediaReadError: If the file is missing or no demuxer knows it.
    """
    try:
        return av.open(filename, metadata_errors='replace')
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise MediaReadError(f'cannot open {filename}: {reason}') from error


class VideoReader:
    """Random access to the frames of a video file.

    Args:
        filename (str): The file.
        backend (str): 'decord', 'pyav', or 'auto' for decord with PyAV behind it.
        num_threads (int): Decoding threads, 0 for as many as the decoder likes.

    Attributes:
        times (np.ndarray): (n,) float64 seconds on the container's clock, ascending.
        duration_seconds (float): From the first frame's start to the last frame's end.
        avg_fps (float): n / duration_seconds.
        has_audio (bool): Whether the file has an audio track that can be decoded.
        num_bytes (int): Size of all frames as 8-bit RGB.
        container_seconds (float): Length of the longest track, as far as the container says.

    Raises:
        MediaReadError: If the file has no readable video track.
    """

    def __init__(self, filename: str, *, backend: str = 'auto', num_threads: int = 1) -> None:
        self.filename = str(filename)
        self.backend = backend
        self.num_threads = num_threads
        self._container = open_container(self.filename)
        self._stream = self._container.streams.best('video')
        if self._stream is None or self._stream.codec_context is None:
            raise MediaReadError(f'{filename} has no video track that can be decoded')
        audio = self._container.streams.best('audio')
        self.has_audio = audio is not None and audio.codec_context is not None
        self._read_index()
        codec = self._stream.codec_context
        self.num_bytes = len(self.times) * codec.width * codec.height * 3
        self.container_seconds = max(self.duration_seconds, (self._container.duration or 0) / 1e6)
        codec.thread_count = num_threads
        codec.thread_type = 'SLICE' if num_threads == 1 else 'AUTO'
        self._decord = None if backend == 'pyav' else self._open_decord()

    def _read_index(self) -> None:
        """Read the stamps of all frames from the packets, without decoding."""
        try:
            packets = [
                packet for packet in self._container.demux(self._stream)
                if packet.size and not packet.is_discard
            ]
        except av.FFmpegError as error:
            raise MediaReadError(f'cannot read {self.filename}: {error}') from error
        stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
        if not stamps or None in stamps:
            what = 'has no video frames' if not stamps else 'holds frames without timestamps'
            raise MediaReadError(f'{self.filename} {what}')
        stamps = np.asarray(stamps, dtype=np.int64)
        is_key = np.asarray([packet.is_keyframe for packet in packets])
        # In an open group of pictures, frames that come after the keyframe are shown before it.
        newest_key = np.maximum.accumulate(np.where(is_key, stamps, stamps.min()))
        self._has_open_groups = bool((stamps < newest_key).any())
        order = np.argsort(stamps, kind='stable')
        self._stamps = stamps[order]
        self._keys = np.flatnonzero(is_key[order])
        time_base = float(self._stream.time_base)
        self.times = self._stamps * time_base
        last = (packets[order[-1]].duration or 0) * time_base
        if last <= 0:
            rate = self._stream.average_rate or self._stream.guessed_rate or 25
            last = float(np.median(np.diff(self.times))) if len(stamps) > 1 else 1 / float(rate)
        self.duration_seconds = float(self.times[-1] - self.times[0] + last)
        self.avg_fps = len(self.times) / self.duration_seconds

    def _open_decord(self):
        """Open decord's reader if it is there and sees the same frames at the same times."""
        try:
            import decord
            names = self._container.format.name.split(',')
            if not set(names) & set(_DECORD_FORMATS):
                raise ValueError(f'its seeking is not exact in {names[0]} files')
            if self._has_open_groups:
                raise ValueError('its seeking is not exact in open groups of pictures')
            reader = decord.VideoReader(self.filename, num_threads=self.num_threads)
            if len(reader) != len(self.times):
                raise ValueError(f'it counts {len(reader)} frames of {len(self.times)}')
            # decord counts from the first frame on, and in 32-bit seconds
            shift = reader.get_frame_timestamp(range(len(reader)))[:, 0] - self.times
            if np.ptp(shift) > 2e-3:
                raise ValueError(f'its timestamps are off by up to {np.ptp(shift):.3g} s')
            return reader
        except Exception as error:  # decord raises its own types, and is absent on some platforms
            if self.backend == 'decord':
                raise MediaReadError(f'decord cannot read {self.filename}: {error}') from error
            return None

    def get_frames(self, frame_inds: Sequence[int]) -> list[np.ndarray]:
        """Decode frames, each index once.

        Args:
            frame_inds (Sequence[int]): Indices into ``times``, in any order, repeats allowed.

        Returns:
            list[np.ndarray]: One HxWx3 RGB uint8 array per index. No two share memory, because
            transforms such as Flip work in place.

        Raises:
            MediaReadError: If a frame cannot be decoded.
        """
        unique, inverse = np.unique(np.asarray(frame_inds), return_inverse=True)
        frames = self._decode(unique)
        taken: set[int] = set()
        images = []
        for i in inverse.tolist():
            images.append(frames[i].copy() if i in taken else frames[i])
            taken.add(i)
        return images

    def _decode(self, wanted: np.ndarray) -> Sequence[np.ndarray]:
        if self._decord is not None:
            try:
                return self._decord.get_batch(wanted).asnumpy()
            except Exception as error:
                if self.backend == 'decord':
                    raise MediaReadError(
                        f'decord cannot decode {self.filename}: {error}') from error
                self._decord = None
        return self._decode_pyav(wanted.tolist())

    def _decode_pyav(self, wanted: list[int]) -> list[np.ndarray]:
        """Decode ascending indices, seeking only where a keyframe lies between two of them."""
        images = []
        run: Iterator | None = None
        shown = ahead = None  # (index, frame): the last up to the wanted one, and one beyond it
        convert = VideoReformatter()
        for want in wanted:
            if run is None or (shown is not None and self._key_before(want) > shown[0] + 1):
                run = self._decode_from(want)
                shown = ahead = None
            while shown is None or shown[0] < want:
                ahead = ahead or next(run, None)
                if ahead is None or ahead[0] > want:
                    break  # the decoder left the wanted one out
                shown, ahead = ahead, None
            if shown is None or self.times[want] - self.times[shown[0]] > _HOLD_SECONDS:
                raise MediaReadError(f'cannot decode frame {want} (at {self.times[want]:.3f} s) '
                                     f'of {self.filename}: the data is damaged there')
            picture = shown[1]
            image = convert.reformat(picture, format='rgb24').to_ndarray()
            if picture.rotation % 360:  # phones store portrait video as turned landscape
                image = np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90)))
            images.append(image)
        return images

    @property
    def decode_costs(self) -> np.ndarray:
        """How many frames a decoder must read to show each one alone, (n,) from 1: a keyframe 1."""
        if not len(self._keys):
            return np.arange(1, len(self.times) + 1)
        inds = np.arange(len(self.times))
        before = np.searchsorted(self._keys, inds, side='right') - 1
        return np.where(before < 0, inds, inds - self._keys[before]) + 1

    def _key_before(self, want: int) -> int:
        """Index of the last keyframe at or before a frame, 0 if there is none."""
        i = int(np.searchsorted(self._keys, want, side='right'))
        return int(self._keys[i - 1]) if i else 0

    def _decode_from(self, want: int) -> Iterator[tuple[int, 'av.VideoFrame']]:
        """Yield (index, frame) in ascending order from a keyframe at or before ``want``."""
        for stamp in self._seek_stamps(want):
            try:
                self._container.seek(stamp, stream=self._stream)
            except av.FFmpegError as error:
                raise MediaReadError(f'cannot seek in {self.filename}: {error}') from error
            frames = self._frames_from_here()
            first = next(frames, None)
            if first is not None and first[0] <= want:
                break
        if first is not None:
            yield first
            yield from frames

    def _seek_stamps(self, want: int) -> Iterator[int]:
        """Where to seek for a frame: its keyframe, then, for demuxers that land late, before it."""
        i = int(np.searchsorted(self._keys, want, side='right')) - 1
        step = 1
        while i >= 0:
            yield int(self._stamps[self._keys[i]])
            i -= step
            step *= 4
        yield int(self._stamps[0] - 10 / self._stream.time_base)

    def _frames_from_here(self) -> Iterator[tuple[int, 'av.VideoFrame']]:
        # AVI stores no presentation times; what FFmpeg guesses for B-frames can run backwards,
        # while the decoding stamp of a frame that comes out is monotonic.
        stamp_of = 'dts' if self._container.format.name == 'avi' else 'pts'
        last = len(self._stamps) - 1
        position = -1
        for frame in self._decoded_frames():
            stamp = getattr(frame, stamp_of)
            if stamp is None:
                stamp = frame.pts
            following = position + 1
            position = following if stamp is None else max(
                following, int(np.searchsorted(self._stamps, stamp)))
            if position > last:
                return
            yield position, frame

    def _decoded_frames(self) -> Iterator['av.VideoFrame']:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError:  # a damaged packet costs its own frame only
                    continue
        except av.FFmpegError:  # the file ends early
            return

    def close(self) -> None:
        """Free the decoders and the file handle."""
        self._decord = None
        self._container.close()
