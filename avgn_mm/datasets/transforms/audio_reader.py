"""Windows of one file's audio track, decoded by seeking, on the container's clock.

All samples lie on one absolute grid: sample j of the output stands at j / sample_rate seconds of
the container's clock, the clock of the frames' times too. Each span is resampled from a start at
which the source's and the output's samples coincide, so that what a window holds does not depend
on which span it was decoded in. Two things stay beyond reach: Matroska's rounding of the stamps
(0.5 ms), and the noise that AAC decoders make up themselves for noisy bands.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from .video_reader import MediaReadError, open_container, read_only

# Decoding starts this much early: Opus converges in 80 ms (RFC 7845, 4.6), AAC and MP3 in less.
_PREROLL_SECONDS = 0.1
# Windows closer than this are decoded as one span; a seek costs about as much.
_MERGE_SECONDS = 0.25
# Half of swresample's filter, in samples of the lower of the two rates, is 16; twice that is safe.
_FILTER_MARGIN = 32
# Matroska rounds stamps to 1 ms: what deviates less from a gapless track is rounding.
_JITTER_SECONDS = 2e-3
# A 32-bit integer target, unlike a float one, makes swresample scale its down-mix to full scale,
# so that the same sound in one, two or six channels gives the same mono signal.
_MONO_FORMAT, _FULL_SCALE = 's32p', 2.0**31


def cut_windows(waveform: np.ndarray, waveform_start: int, starts: np.ndarray,
                num_samples: int) -> np.ndarray:
    """Cut windows out of a waveform; what lies outside of it is silence.

    Args:
        waveform (np.ndarray): (n,) float32.
        waveform_start (int): Grid position of its first sample.
        starts (np.ndarray): (T,) grid positions of the windows' first samples.
        num_samples (int): Length of each window.

    Returns:
        np.ndarray: (T, num_samples) float32.
    """
    windows = np.zeros((len(starts), num_samples), dtype=np.float32)
    for window, start in zip(windows, np.asarray(starts).tolist()):
        begin = max(start, waveform_start)
        end = min(start + num_samples, waveform_start + len(waveform))
        if begin < end:
            window[begin - start:end - start] = waveform[begin - waveform_start:end -
                                                         waveform_start]
    return windows


class _Converter:
    """swresample to mono; ``av.AudioResampler`` less its threads.

    That class gives every filter graph a pool of threads: 30 times the work itself for a second
    of sound on a busy machine.
    """

    def __init__(self, template: 'av.AudioFrame', sample_rate: int, sample_format: str) -> None:
        self._graph = Graph()
        if hasattr(self._graph, 'threads'):  # not in old PyAV
            self._graph.threads = 1
        source = self._graph.add_abuffer(
            sample_rate=template.sample_rate,
            format=template.format.name,
            layout=template.layout.name,
            time_base=template.time_base or Fraction(1, template.sample_rate))
        target = self._graph.add(
            'aformat',
            sample_rates=str(sample_rate),
            sample_fmts=sample_format,
            channel_layouts='mono')
        self._graph.link_nodes(source, target, self._graph.add('abuffersink')).configure()

    def push(self, frame: 'av.AudioFrame | None') -> np.ndarray:
        """Convert a frame, or with None what is left: (n,) of the sample format's type."""
        self._graph.push(frame)
        parts = []
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray()[0])
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


class AudioReader:
    """Random access to the audio track of a media file, as mono float32.

    Args:
        filename (str): The file. It is opened at the first read.
        sample_rate (int): Output rate in Hz.

    Attributes:
        decoded_seconds (float): How much audio was decoded so far, pre-roll included.
    """

    def __init__(self, filename: str, *, sample_rate: int = 16000) -> None:
        self.filename = str(filename)
        self.sample_rate = sample_rate
        self.decoded_seconds = 0.0
        self._container = None

    def _open(self) -> None:
        self._container = open_container(self.filename)
        self._stream = self._container.streams.best('audio')
        if self._stream is None or self._stream.codec_context is None:
            raise MediaReadError(f'{self.filename} has no audio track that can be decoded')
        self._rate = self._stream.codec_context.sample_rate
        if not self._rate:
            raise MediaReadError(f'{self.filename}: its audio track states no sample rate')
        read_only(self._container, self._stream)
        # `_down` samples of the source last exactly as long as `_up` of the output.
        common = math.gcd(self._rate, self.sample_rate)
        self._down, self._up = self._rate // common, self.sample_rate // common
        self._mixers: dict[tuple, _Converter] = {}

    def read_windows(self, starts: np.ndarray, num_samples: int) -> np.ndarray:
        """Read windows of equal length.

        Args:
            starts (np.ndarray): (T,) grid positions of their first samples, in any order.
            num_samples (int): Length of each window.

        Returns:
            np.ndarray: (T, num_samples) float32, zero outside of the track.

        Raises:
            MediaReadError: If nothing at all can be decoded.
        """
        starts = np.asarray(starts, dtype=np.int64)
        windows = np.zeros((len(starts), num_samples), dtype=np.float32)
        order = np.argsort(starts, kind='stable')
        gaps = np.diff(starts[order]) - num_samples
        breaks = np.flatnonzero(gaps > _MERGE_SECONDS * self.sample_rate) + 1
        for members in np.split(order, breaks):
            first, last = int(starts[members[0]]), int(starts[members[-1]]) + num_samples
            waveform_start, waveform = self._read_span(first, last)
            windows[members] = cut_windows(waveform, waveform_start, starts[members], num_samples)
        return windows

    def read_all(self) -> tuple[int, np.ndarray]:
        """Read the whole track.

        Returns:
            tuple[int, np.ndarray]: Grid position of the first sample, and the (n,) float32
            samples.
        """
        return self._read_span(None, None)

    def _read_span(self, first: int | None, last: int | None) -> tuple[int, np.ndarray]:
        """Decode and resample the grid positions ``[first, last)``, or the whole track."""
        if self._container is None:
            self._open()
        if first is None:
            chunks = list(self._decode(-math.inf, math.inf))
        else:
            margin = _FILTER_MARGIN * self.sample_rate / min(self._rate, self.sample_rate)
            block = math.floor((first - margin) / self._up)
            end_block = math.ceil((last + margin) / self._up)
            chunks = list(
                self._decode(block * self._down / self._rate,
                             end_block * self._down / self._rate))
        if not chunks:
            return first or 0, np.zeros(0, dtype=np.float32)
        track_start = min(position for position, _ in chunks)
        track_end = max(position + len(samples) for position, samples in chunks)
        if first is None:
            margin = _FILTER_MARGIN * max(1.0, self._rate / self.sample_rate)
            block = math.floor((track_start - margin) / self._down)
            end_block = math.ceil((track_end + margin) / self._down)

        begin, end = block * self._down, end_block * self._down
        source = np.zeros(end - begin, dtype=np.float32)
        for position, samples in chunks:
            skip = max(0, begin - position)
            samples = samples[skip:max(skip, end - position)]
            offset = position + skip - begin
            source[offset:offset + len(samples)] = samples
        waveform = self._resample(source)
        # Drop the filter's margins, and its ringing outside of the track.
        begin = math.ceil(track_start * self.sample_rate / self._rate)
        end = math.ceil(track_end * self.sample_rate / self._rate)
        if first is not None:
            begin, end = max(begin, first), min(end, last)
        offset = block * self._up
        return begin, waveform[begin - offset:max(begin, end) - offset].copy()

    def _resample(self, source: np.ndarray) -> np.ndarray:
        if self._rate == self.sample_rate:
            return source
        frame = av.AudioFrame.from_ndarray(source[None], format='fltp', layout='mono')
        frame.sample_rate = self._rate
        frame.pts = 0
        converter = _Converter(frame, self.sample_rate, 'fltp')
        return np.concatenate([converter.push(frame), converter.push(None)])

    def _decode(self, start: float, end: float) -> Iterator[tuple[int, np.ndarray]]:
        """Decode from ``start`` to ``end`` seconds.

        Yields:
            tuple[int, np.ndarray]: Position in source samples since the clock's zero, and mono
            float32 samples.
        """
        time_base = float(self._stream.time_base)
        # After a seek FFmpeg drops as many samples as the encoder put before the first one.
        start -= _PREROLL_SECONDS + self._stream.codec_context.delay / self._rate
        expected = None
        decoded, error = 0, None
        for packet in self._packets_from(start):
            seconds = None if packet.pts is None else packet.pts * time_base
            if seconds is not None and seconds >= end:
                break
            if seconds is not None and seconds + (packet.duration or 0) * time_base < start:
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError as damage:  # stays silent, as in a player
                error = damage
                continue
            for frame in frames:
                decoded += 1
                samples = self._to_mono(frame)
                self.decoded_seconds += len(samples) / self._rate
                position = expected
                if frame.pts is not None:
                    position = round(frame.pts * time_base * self._rate)
                    if (expected is not None
                            and abs(position - expected) <= _JITTER_SECONDS * self._rate):
                        position = expected
                if position is None:
                    continue
                expected = position + len(samples)
                yield position, samples
        if error is not None and not decoded:
            raise MediaReadError(f'cannot decode the audio of {self.filename}: {error}')

    def _packets_from(self, start: float) -> Iterator['av.Packet']:
        """Yield the track's packets from one at or before ``start`` seconds on."""
        time_base = float(self._stream.time_base)
        begin = self._stream.start_time or 0
        # See _decode: it is the first packets that may be lost.
        early = self._stream.codec_context.delay / self._rate
        if 'mp4' in self._container.format.name:  # it keeps what AAC fades in from before the first
            early += _PREROLL_SECONDS
        back = 0.0
        try:
            while True:
                from_begin = start - back <= begin * time_base
                stamp = begin if from_begin else int((start - back) / time_base)
                if from_begin and early:
                    stamp = begin - math.ceil(early / time_base)
                self._container.seek(stamp, stream=self._stream)
                packets = self._container.demux(self._stream)
                first = next(packets, None)
                if from_begin or first is None or first.pts is None or \
                        first.pts * time_base <= start:
                    break
                back = 2 * back + 1.0  # landed late, as MPEG-TS can: go further back
            if first is not None:
                yield first
                yield from packets
        except av.FFmpegError:  # the file ends early
            return

    def _to_mono(self, frame: 'av.AudioFrame') -> np.ndarray:
        # broadcasts change their layout in the middle
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if key not in self._mixers:
            self._mixers[key] = _Converter(frame, self._rate, _MONO_FORMAT)
        return (self._mixers[key].push(frame) / _FULL_SCALE).astype(np.float32)

    def close(self) -> None:
        """Free the decoder and the file handle."""
        if self._container is not None:
            self._container.close()
            self._container = None
