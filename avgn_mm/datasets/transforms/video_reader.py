"""Frames of one video file by index, with their true presentation times.

The index comes from the container's packets (PyAV), so that times are right for variable frame
rates, late starts and edit lists. The frames come from PyAV too, unless decord is asked for: it
takes longer (16 frames of each of seven files of 8 to 90 s took 1.03 to 2 times as much), and does
not say where a file is damaged. Even then it serves only files of which it returns the very
frames: decord 0.6 silently returns wrong ones for MPEG-TS, for AVI with B-frames and for open
groups of pictures, and counts frames that an edit list hides.
"""

import os
import stat
from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

BACKENDS = ('pyav', 'decord', 'auto')
# Names of FFmpeg's demuxers in whose files decord seeks exactly.
_DECORD_FORMATS = ('mp4', 'matroska')
# A frame the decoder leaves out is shown as a player shows it, by the one before, this long.
_HOLD_SECONDS = 0.5
# Ways of decoding less: leave out frames that no other refers to; besides, stop at the last wanted
# frame's packet, where a decoder otherwise reads on to be sure of the order.
_SKIPS, _STOPS = 1, 2
# 8192 x 8192: a few bytes can claim a picture that no memory holds.
_MAX_PIXELS = 2**26
# Demuxers of text files that name other files: what they show is not what the list names.
_PLAYLISTS = {'concat', 'concatf', 'dash', 'hls', 'imf', 'sdp'}


class MediaReadError(RuntimeError):
    """A media file cannot be read; the message names the file and the reason."""


def open_container(filename: str) -> 'av.container.InputContainer':
    """Open a file with PyAV: a regular file, whose name is never taken for a URL.

    Raises:
        MediaReadError: If the file is missing, is none, names others, or no demuxer knows it.
    """
    try:
        # FFmpeg would wait for a pipe's other end, and read from a device for ever.
        if not stat.S_ISREG(os.stat(filename).st_mode):
            raise ValueError('Is a directory' if os.path.isdir(filename)
                             else 'it is not a regular file')
        container = av.open(os.path.abspath(filename), metadata_errors='replace',
                            options=dict(protocol_whitelist='file', max_pixels=str(_MAX_PIXELS)))
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise MediaReadError(f'cannot open {filename}: {reason}') from error
    if _PLAYLISTS.intersection(container.format.name.split(',')):
        container.close()
        raise MediaReadError(f'cannot open {filename}: it is a playlist of other files')
    return container


def read_only(container: 'av.container.InputContainer', stream: 'av.stream.Stream | None') -> None:
    """Have the demuxer pass over the data of all tracks but one; with None, of none.

    Only in MP4 files, whose header says where each track's packets lie.
    """
    if 'mp4' not in container.format.name:
        return
    for each in container.streams:
        if hasattr(each, 'discard'):  # not in old PyAV
            kinds = type(each.discard)
            each.discard = kinds.default if stream is None or each is stream else kinds.all


class VideoReader:
    """Random access to the frames of a video file.

    Args:
        filename (str): The file.
        backend (str): 'pyav', 'decord', or 'auto' for decord with PyAV behind it.
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

    def __init__(self, filename: str, *, backend: str = 'pyav', num_threads: int = 1) -> None:
        self.filename = str(filename)
        self.backend = backend
        self.num_threads = num_threads
        self._container = open_container(self.filename)
        try:
            self._open(num_threads)
        except BaseException:
            self._container.close()  # would wait for the garbage collector: PyAV refers in circles
            raise

    def _open(self, num_threads: int) -> None:
        self._stream = self._container.streams.best('video')
        if self._stream is None or self._stream.codec_context is None \
                or self._stream.disposition & Disposition.attached_pic:  # a song's cover
            raise MediaReadError(f'{self.filename} has no video track that can be decoded')
        codec = self._stream.codec_context
        self._size = codec.width, codec.height
        num_pixels = codec.width * codec.height
        if not 0 < num_pixels <= _MAX_PIXELS:  # FFmpeg says 0 of what it was told not to decode
            raise MediaReadError(f'{self.filename} has pictures of an unknown size, or of more '
                                 f'than {_MAX_PIXELS} pixels')
        read_only(self._container, self._stream)
        self._read_index()
        read_only(self._container, None)
        self.has_audio = self._find_audio()
        self.num_bytes = len(self.times) * num_pixels * 3
        self.container_seconds = max(self.duration_seconds, (self._container.duration or 0) / 1e6)
        codec.options = dict(max_pixels=str(_MAX_PIXELS))
        codec.thread_count = num_threads
        codec.thread_type = 'SLICE' if num_threads == 1 else 'AUTO'
        # H.264 promises that no frame refers to those that say so; HEVC does not, of its layers.
        # AVI knows frames by their decoding stamps.
        exact = codec.name == 'h264' and self._container.format.name != 'avi'
        self._shortcuts = _STOPS if exact else 0  # fewer where one turns out to fail
        self._needed: set[int] | None = None  # stamps of what must be decoded; None: everything
        self._decord = None if self.backend == 'pyav' else self._open_decord()

    def _read_index(self) -> None:
        """Read the stamps of all frames from the packets, without decoding."""
        try:
            # Not the packets themselves: together they are as large as the file.
            packets = [
                (packet.dts if packet.pts is None else packet.pts, packet.is_keyframe,
                 packet.duration)
                for packet in self._container.demux(self._stream)
                if packet.size and not packet.is_discard
            ]
        except av.FFmpegError as error:
            raise MediaReadError(f'cannot read {self.filename}: {error}') from error
        stamps, is_key, durations = zip(*packets) if packets else ((), (), ())
        if not stamps or None in stamps:
            what = 'has no video frames' if not stamps else 'holds frames without timestamps'
            raise MediaReadError(f'{self.filename} {what}')
        stamps = np.asarray(stamps, dtype=np.int64)
        is_key = np.asarray(is_key)
        # In an open group of pictures, frames that come after the keyframe are shown before it.
        newest_key = np.maximum.accumulate(np.where(is_key, stamps, stamps.min()))
        self._has_open_groups = bool((stamps < newest_key).any())
        order = np.argsort(stamps, kind='stable')
        self._stamps = stamps[order]
        self._keys = np.flatnonzero(is_key[order])
        time_base = float(self._stream.time_base)
        self.times = self._stamps * time_base
        last = (durations[order[-1]] or 0) * time_base
        if last <= 0:
            rate = self._stream.average_rate or self._stream.guessed_rate or 25
            last = float(np.median(np.diff(self.times))) if len(stamps) > 1 else 1 / float(rate)
        self.duration_seconds = float(self.times[-1] - self.times[0] + last)
        self.avg_fps = len(self.times) / self.duration_seconds

    def _find_audio(self) -> bool:
        """Whether there is a packet of sound; a header may announce a track that stays empty."""
        audio = self._container.streams.best('audio')
        if audio is None or audio.codec_context is None:
            return False
        for stamp, stream in ((audio.start_time or 0, audio),
                              (self._container.start_time or 0, None)):
            try:
                self._container.seek(stamp, stream=stream)
                return any(packet.size for packet in self._container.demux(audio))
            except av.FFmpegError:  # some demuxers refuse to seek for a track without packets
                continue
        return True

    def _open_decord(self):
        """Open decord's reader if it is there and sees the same frames at the same times."""
        try:
            import decord
            names = self._container.format.name.split(',')
            if not set(names) & set(_DECORD_FORMATS):
                raise ValueError(f'its seeking is not exact in {names[0]} files')
            if self._has_open_groups:
                raise ValueError('its seeking is not exact in open groups of pictures')
            reader = decord.VideoReader(
                os.path.abspath(self.filename), num_threads=self.num_threads)
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
        """Decode ascending indices, with as many shortcuts as the file allows."""
        while self._shortcuts:
            images = self._read(wanted)
            if images is not None:
                return images
            self._shortcuts -= 1  # damaged, or the decoder needs more to find the order
        return self._read(wanted)

    def _read(self, wanted: list[int]) -> list[np.ndarray] | None:
        """Seek only where a keyframe lies between two of the frames.

        Returns:
            list[np.ndarray], optional: None if a shortcut did not give the very frames.
        """
        images = []
        run: Iterator | None = None
        shown = ahead = None  # (index, frame): the last up to the wanted one, and one beyond it
        convert = VideoReformatter()
        for i, want in enumerate(wanted):
            if run is None or (shown is not None and self._key_before(want) > shown[0] + 1):
                self._needed = self._needed_at_once(wanted[i:]) if self._shortcuts else None
                run = self._decode_from(want)
                shown = ahead = None
            while shown is None or shown[0] < want:
                ahead = ahead or next(run, None)
                if ahead is None or ahead[0] > want:
                    break  # the decoder left the wanted one out
                shown, ahead = ahead, None
            if self._shortcuts and (shown is None or shown[0] != want):
                return None
            if shown is None or self.times[want] - self.times[shown[0]] > _HOLD_SECONDS:
                raise MediaReadError(f'cannot decode frame {want} (at {self.times[want]:.3f} s) '
                                     f'of {self.filename}: the data is damaged there')
            picture = shown[1]
            if self._shortcuts == _STOPS and picture.interlaced_frame:
                return None  # its other field may be in the next packet
            # broadcasts change their resolution in the middle
            image = convert.reformat(picture, *self._size, format='rgb24').to_ndarray()
            if picture.rotation % 360:  # phones store portrait video as turned landscape
                image = np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90)))
            images.append(image)
        return images

    def _needed_at_once(self, wanted: list[int]) -> set[int]:
        """Stamps of the first frames, up to one that a later keyframe is sought for."""
        stop = 1
        while stop < len(wanted) and self._key_before(wanted[stop]) <= wanted[stop - 1] + 1:
            stop += 1
        return set(self._stamps[wanted[:stop]].tolist())

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
        first = None
        for stamp in self._seek_stamps(want):
            try:
                self._container.seek(stamp, stream=self._stream)
            except av.FFmpegError:  # some demuxers refuse what is before the first frame
                continue
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
        """Yield what is decoded from here on, without what damage can be seen in.

        What follows a damaged frame is drawn on top of it, until a keyframe starts afresh.
        """
        codec = self._stream.codec_context
        codec.skip_frame = 'DEFAULT'
        intact = field_follows = True
        try:
            for packet in self._packets():
                if self._needed is not None:
                    needed = packet.pts is None or packet.pts in self._needed
                    # The packet after it may be the other field of the same picture.
                    codec.skip_frame = 'DEFAULT' if needed or field_follows else 'NONREF'
                    field_follows = needed
                try:
                    frames = codec.decode(packet)
                except av.FFmpegError:
                    intact = False
                    continue
                for frame in frames:
                    intact = not frame.is_corrupt and (intact or bool(frame.key_frame))
                    if intact:
                        yield frame
        except av.FFmpegError:  # the file ends early
            return

    def _packets(self) -> Iterator['av.Packet']:
        """Yield packets from here on, and in the end an empty one: the decoder gives what it has.

        The end is that of the file or, as a shortcut, where nothing more is needed.
        """
        missing = set(self._needed or ())
        for packet in self._container.demux(self._stream):
            yield packet
            missing.discard(packet.pts)
            if self._shortcuts == _STOPS and not missing:
                end = av.Packet()
                end.time_base = self._stream.time_base
                yield end
                return

    def close(self) -> None:
        """Free the decoders and the file handle."""
        self._decord = None
        self._container.close()
