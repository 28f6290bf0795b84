"""The best moments of a video of any length by its saliency, zero-shot (AVGN, section 4.3).

A video goes through the recognizer window by window, T frames each, see ``SampleWindow``; no more
than one window's frames are in memory.
"""

import contextlib
import math
import os
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avgn_mm.datasets.highlight_dataset import SampleWindow, count_windows
from avgn_mm.datasets.transforms.video_reader import MediaReadError, open_container
from avgn_mm.evaluation.metrics.highlight_metric import shot_scores

from .inferencer import AVInferencer, _Prepared, describe
from .lazy_frames import _KeptOpen

# PyAV's muxers of others, such as AVI, crash where they cannot hold what they are given.
_CONTAINERS = ('.mp4', '.mov', '.mkv')


@dataclass
class Highlights:
    """What was found in one video, in plain numbers and strings.

    Attributes:
        filename: As it was given.
        moments: The best ones, best first: ``start`` and ``end`` in seconds since the first frame,
            ``score``, the mean of its shots. ``tools/infer.py --cut`` adds ``file`` and what it
            shows, ``file_start`` and ``file_end``.
        shots: All, in the order of time: ``start``, ``end``, ``score``.
        gmacs: 10^9 multiply-accumulates.
        frames_decoded: How many frames were read from the file.
        duration_seconds: Of the video.
        error: Why there is no answer; None if there is one.
    """
    filename: str
    moments: list[dict] = field(default_factory=list)
    shots: list[dict] = field(default_factory=list)
    gmacs: float = 0.0
    frames_decoded: int = 0
    duration_seconds: float | None = None
    error: str | None = None

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


class HighlightFinder(AVInferencer):
    """Find the moments of a video that a recognizer with saliency, such as AVGN, looks at.

    ``HighlightFinder('avgn_mn2_r50_anet', 'weights.pth').find('video.mp4', 5).moments``

    It is an ``AVInferencer`` otherwise, and takes what that takes.
    """

    def find(self, filename: str | Path, number: int, *, moment_seconds: float = 4.0,
             shot_seconds: float = 2.0, frames_per_shot: float = 1.0,
             layout: str = 'interleaved') -> Highlights:
        """Score the shots of a video and choose its best moments.

        All T frames of a window are glanced at: a shot whose frame is left out would be judged by
        its sound alone. One is looked at closely, which the recognizer needs for its answer.

        Args:
            filename (str | Path): The video.
            number (int): At most so many moments; there are fewer in a short video.
            moment_seconds (float): Length of a moment, rounded to whole shots. Defaults to 4.
            shot_seconds (float): Length of a shot, what is scored. Defaults to 2, as in TVSum.
            frames_per_shot (float): At least 1. Defaults to 1.
            layout (str): See ``SampleWindow``.

        Returns:
            Highlights: With ``error`` set where the file cannot be read.

        Raises:
            ValueError: If a number makes no sense, or the recognizer has no saliency.
        """
        if number < 1 or frames_per_shot < 1 or not 0 < shot_seconds <= moment_seconds:
            raise ValueError(
                'highlights want number >= 1, frames_per_shot >= 1 and 0 < shot_seconds <= '
                f'moment_seconds, got {number}, {frames_per_shot}, {shot_seconds} and '
                f'{moment_seconds}')
        result = Highlights(str(filename))
        sample = SampleWindow(num_frames=self.model.num_frames, layout=layout)
        try:
            opened = self.pipeline['open'](self._results(filename))
        except Exception as error:  # of any file that somebody has; the others must go on
            result.error = describe(error)
            return result
        reader = opened['video_reader']
        with contextlib.closing(reader), self._budget(dict(num_glances=None, num_focus=1)):
            duration = result.duration_seconds = float(opened['duration_seconds'])
            num_shots = max(1, int(duration // shot_seconds))
            num_windows = count_windows(num_shots, self.model.num_frames, frames_per_shot)
            times, saliency = [], []
            for window in range(num_windows):
                known = sample(dict(opened, window=window, num_windows=num_windows))
                found, = self.forward([self._prepare_window(known)])
                if found.error is not None:
                    result.error = found.error
                    return result
                if not found.saliency:
                    raise ValueError(f'{type(self.model).__name__} gives no saliency: highlights '
                                     'want a recognizer that does, such as AVGN with AV-TeST')
                # Both in the order of time.
                times.append(np.sort(known['slot_times']))
                saliency.append([point['score'] for point in found.saliency])
                result.gmacs += found.gmacs
                result.frames_decoded += found.frames_decoded
        scores = shot_scores(np.concatenate(times), np.concatenate(saliency), num_shots,
                             shot_seconds)
        ends = [*(np.arange(1, num_shots) * shot_seconds).tolist(), duration]
        result.shots = [dict(start=i * shot_seconds, end=end, score=score)
                        for i, (end, score) in enumerate(zip(ends, scores.tolist()))]
        result.moments = [
            dict(start=result.shots[first]['start'], end=result.shots[last - 1]['end'],
                 score=float(scores[first:last].mean()))
            for first, last in best_spans(scores, number, round(moment_seconds / shot_seconds))]
        return result

    def _prepare_window(self, known: dict) -> _Prepared:
        """A window as a video of its own, whose file stays open for the next one."""
        prepared = _Prepared(known['filename'])
        known = dict(known, video_reader=_KeptOpen(known['video_reader']))
        try:
            self._attach(prepared, known)
        except Exception as error:
            prepared.error = describe(error)
        return prepared


def best_spans(scores: np.ndarray, number: int, length: int) -> list[tuple[int, int]]:
    """The best stretches of shots that do not overlap, greedily, best first.

    Args:
        scores (np.ndarray): (n,) of the shots.
        number (int): At most so many.
        length (int): Of a stretch, in shots; all n of them if they are fewer.

    Returns:
        list[tuple[int, int]]: First shot and the one after the last. Of equal ones the earlier.
    """
    length = min(length, len(scores))
    means = np.convolve(scores, np.full(length, 1 / length), mode='valid')
    spans = []
    while len(spans) < number and np.isfinite(means).any():
        # Rounded, so that the order of summation decides nothing.
        first = int(np.argmax(np.round(means, 9)))
        spans.append((first, first + length))
        means[max(0, first - length + 1):first + length] = -np.inf
    return spans


def cut_clip(filename: str | Path, start: float, end: float, out: str | Path, *,
             copy: bool = False) -> tuple[float, float]:
    """Write a stretch of a video to a file of its own, with its sound.

    By default frames are decoded and encoded again (H.264, AAC), so that the clip starts with the
    frame that is on screen at ``start``, wherever the keyframes are. With ``copy`` the packets are
    taken over as they are, without loss and fast, but a clip can only start at a keyframe: it
    starts at the last one at or before ``start``, often seconds early. Either way it ends with the
    last frame that starts before ``end``, except that copied B-frames may reach some frames
    further. The file appears under its name when it is whole.

    Args:
        filename (str | Path): The video.
        start (float): Seconds since its first frame.
        end (float): Seconds since its first frame.
        out (str | Path): The file to write, .mp4, .mov or .mkv. The latter holds all codecs, which
            matters to ``copy``.
        copy (bool): Whether to take packets over as they are. Defaults to False.

    Returns:
        tuple[float, float]: When the clip starts and ends, in seconds since the video's first
        frame.

    Raises:
        MediaReadError: If the video cannot be read there.
        ValueError: If the stretch is empty or the suffix another one.
    """
    if not 0 <= start < end:
        raise ValueError(f'a clip wants 0 <= start < end, got {start} and {end}')
    out = Path(out)
    if out.suffix not in _CONTAINERS:
        raise ValueError(f'a clip is written as {", ".join(_CONTAINERS)}, got {out}')
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f'.{out.stem}.part{out.suffix}')
    try:
        with open_container(str(filename)) as source, av.open(str(part), 'w') as target:
            cut = (_copy if copy else _encode)(source, target, start, end)
        os.replace(part, out)
    except av.FFmpegError as error:
        raise MediaReadError(f'cannot cut {filename} to {out}: {error}') from error
    finally:
        part.unlink(missing_ok=True)
    return cut


def _open_streams(source) -> tuple[list, float, int]:
    """The video track and, if there is one, the best audio track; seconds of the first frame; turn.

    The turn is in degrees: phones store portrait video as turned landscape.
    """
    video, audio = source.streams.best('video'), source.streams.best('audio')
    if video is None or video.codec_context is None:
        raise MediaReadError(f'{source.name} has no video track that can be decoded')
    first = next(source.decode(video), None)
    if first is None:
        raise MediaReadError(f'{source.name} has no video frames')
    has_audio = audio is not None and audio.codec_context is not None
    return [video, *([audio] if has_audio else [])], float(_time(first)), first.rotation


def _time(timed) -> Fraction:
    """Seconds at which a packet or a frame is shown, on the container's clock."""
    # AVI has one kind of stamps.
    return (timed.dts if timed.pts is None else timed.pts) * timed.time_base


def _seek(source, video, seconds: float) -> None:
    """To a keyframe at or before a time on the container's clock, the last one if it is found."""
    begin = video.start_time or 0
    # Some demuxers, such as MPEG-TS, land late.
    for back in (0, 1, 4, 16, 64, math.inf):
        stamp = begin if math.isinf(back) else max(begin, int((seconds - back) / video.time_base))
        source.seek(stamp, stream=video)
        key = next((packet for packet in source.demux(video)
                    if packet.size and packet.is_keyframe), None)
        source.seek(stamp, stream=video)
        if key is not None and _time(key) <= seconds:
            return


def _copy(source, target, start: float, end: float) -> tuple[float, float]:
    (video, *audio), zero, turn = _open_streams(source)
    _seek(source, video, zero + start)
    packets = {stream.index: [] for stream in (video, *audio)}
    waiting = set(packets)
    begin = None
    for packet in source.demux(video, *audio):
        if not packet.size or packet.stream.index not in waiting:
            continue
        seconds = float(_time(packet))
        packet.pts = round(seconds / packet.time_base)
        if packet.stream is video and packet.is_keyframe and (
                begin is None or seconds <= zero + start):
            begin = seconds
            # Where seeking went further back than it had to, what was read so far is not wanted.
            packets = {index: [other for other in each if _time(other) >= begin]
                       for index, each in packets.items()}
        # Frames that are shown before the keyframe need others that are left out.
        if begin is not None and seconds >= begin:
            # By the time of decoding: a frame before the end may need one after it.
            if seconds >= zero + end and (packet.dts is None
                                          or packet.dts * packet.time_base >= zero + end):
                waiting.remove(packet.stream.index)
                if not waiting:
                    break
                continue
            packets[packet.stream.index].append(packet)
    if begin is None:
        raise MediaReadError(f'{source.name} has no keyframe at or before {start:.3f} s')
    shown = packets[video.index]
    while shown[-1].pts * video.time_base >= zero + end:  # nothing that is left needs it
        shown.pop()
    last = max(float((packet.pts + (packet.duration or 0)) * packet.time_base) for packet in shown)
    if last <= zero + start:
        raise MediaReadError(f'{source.name} has no frame from {start:.3f} to {end:.3f} s')
    for stream in (video, *audio):
        copied = target.add_stream_from_template(stream)
        if stream is video and turn:
            copied.set_display_rotation(turn)
        # Matroska and AVI leave times of decoding out: those of showing, in order and so much
        # earlier that none is late.
        stamps = sorted(packet.pts for packet in packets[stream.index])
        ahead = max((stamp - packet.pts for stamp, packet in zip(stamps, packets[stream.index])),
                    default=0)
        shift = round(begin / stream.time_base)
        for stamp, packet in zip(stamps, packets[stream.index]):
            packet.pts -= shift
            packet.dts = stamp - ahead - shift
            packet.stream = copied
    for packet in sorted((packet for each in packets.values() for packet in each),
                         key=lambda packet: packet.dts * packet.time_base):
        target.mux(packet)
    return begin - zero, last - zero


def _encode(source, target, start: float, end: float) -> tuple[float, float]:
    (video, *audio), zero, turn = _open_streams(source)
    pictures = _PictureWriter(target, video, zero + start, turn)
    sounds = [_SoundWriter(target, track, zero + start, zero + end) for track in audio]
    # A little early: in some containers the sound of a moment is stored before its pictures.
    _seek(source, video, zero + max(0.0, start - 0.5))
    waiting = {video.index: pictures, **{sound.track.index: sound for sound in sounds}}
    for packet in source.demux(video, *audio):
        writer = waiting.get(packet.stream.index)
        if writer is None:
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError:  # a damaged packet costs its own frame only
            continue
        for frame in frames:
            if writer.is_over(frame, zero + end):
                del waiting[packet.stream.index]
                break
            writer.write(frame)
        if not waiting:
            break
    last = pictures.finish()
    for sound in sounds:
        sound.finish()
    if last is None:
        raise MediaReadError(f'{source.name} has no frame from {start:.3f} to {end:.3f} s')
    return start, min(end, last - zero)


class _PictureWriter:
    """Encodes frames from a time on; the one on screen then is moved to it.

    Args:
        target (OutputContainer): Where to.
        track (VideoStream): Where the frames come from.
        start (float): Seconds on the clock of the track.
        turn (int): Degrees by which players turn the frames.
    """

    def __init__(self, target, track, start: float, turn: int) -> None:
        self.track = track
        self._target = target
        self._stream = target.add_stream(
            'libx264', rate=track.average_rate or 25, options=dict(crf='18'))
        self._stream.width = track.codec_context.width // 2 * 2
        self._stream.height = track.codec_context.height // 2 * 2
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = track.time_base
        if turn:
            self._stream.set_display_rotation(turn)
        # As VideoReader has it: what FFmpeg guesses for B-frames in AVI can run backwards.
        self._stamp = 'dts' if track.container.format.name == 'avi' else 'pts'
        self._start = round(start / track.time_base)
        self._before = self._end = None

    def _stamp_of(self, frame) -> int:
        stamp = getattr(frame, self._stamp)
        return frame.pts if stamp is None else stamp

    def is_over(self, frame, end: float) -> bool:
        return float(self._stamp_of(frame) * self.track.time_base) >= end

    def write(self, frame) -> None:
        if self._stamp_of(frame) > self._start and self._before is not None:
            self._encode(self._before, 0)
            self._before = None
        if self._stamp_of(frame) <= self._start:
            self._before = frame
        else:
            self._encode(frame, self._stamp_of(frame) - self._start)

    def _end_of(self, frame) -> int:
        return self._stamp_of(frame) + (frame.duration or round(
            1 / ((self.track.average_rate or 25) * self.track.time_base)))

    def _encode(self, frame, stamp: int) -> None:
        self._end = float(max(self._start, self._end_of(frame)) * self.track.time_base)
        picture = frame.reformat(self._stream.width, self._stream.height, 'yuv420p')
        picture.pts, picture.time_base = stamp, self.track.time_base
        picture.pict_type = 0  # the encoder chooses anew
        self._target.mux(self._stream.encode(picture))

    def finish(self) -> float | None:
        """Write what is left; when the last frame ends, None if there was none."""
        if self._before is not None and self._end_of(self._before) > self._start:
            self._encode(self._before, 0)
        if self._end is not None:
            self._target.mux(self._stream.encode())
        return self._end


class _SoundWriter:
    """Encodes exactly the samples between two times; what is missing there is silence.

    Args:
        target (OutputContainer): Where to.
        track (AudioStream): Where the frames come from.
        start, end (float): Seconds on the clock of the track.
    """

    def __init__(self, target, track, start: float, end: float) -> None:
        self.track = track
        self._target = target
        self._rate = track.rate
        self._layout = 'mono' if track.codec_context.channels == 1 else 'stereo'
        self._stream = target.add_stream('aac', rate=self._rate, layout=self._layout)
        self._resampler = av.AudioResampler('fltp', self._layout, self._rate)
        self._start = start
        self._number = round((end - start) * self._rate)
        self._written = 0

    def is_over(self, frame, end: float) -> bool:
        return frame.time is not None and frame.time >= end

    def write(self, frame) -> None:
        if frame.time is None:
            return
        begin = round((frame.time - self._start) * self._rate)
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray()
            skip = max(0, self._written - begin)
            samples = samples[:, skip:max(skip, self._number - begin)]
            if samples.shape[1]:
                gap = max(0, begin + skip - self._written)
                self._encode(np.pad(samples, ((0, 0), (gap, 0))))
            begin += part.samples

    def _encode(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), 'fltp', self._layout)
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = self._written
        self._written += samples.shape[1]
        self._target.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what is left."""
        if self._written:
            self._target.mux(self._stream.encode())
