"""Write small media files with PyAV, in which every frame and every sample can be told apart."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_BITS = 16
_CHUNK = 8192
_VIDEO_TIME_BASE = Fraction(1, 10000)


def code_image(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture that says its index: 4 x 4 dark or bright tiles, the bits from low to high.

    Args:
        index (int): Below 65536.
        size (tuple[int, int]): (W, H).

    Returns:
        np.ndarray: HxWx3 uint8.
    """
    bits = (index >> np.arange(_BITS)) & 1
    tiles = (40 + 160 * bits).astype(np.uint8).reshape(4, 4)
    width, height = size
    image = tiles[(np.arange(height) * 4 // height)[:, None], np.arange(width) * 4 // width]
    return np.repeat(image[:, :, None], 3, axis=2)


def read_code(image: np.ndarray) -> int:
    """The index that a (decoded, resized) :func:`code_image` says."""
    height, width = image.shape[:2]
    rows = (np.arange(4) * 2 + 1) * height // 8
    columns = (np.arange(4) * 2 + 1) * width // 8
    bits = (image[rows[:, None], columns].mean(axis=-1) > 120).reshape(-1)
    return int((bits << np.arange(_BITS)).sum())


def tone(hertz: float = 440.0, *, start: float = 0.0, end: float = np.inf) -> Callable:
    """Sound for ``write_clip``: a sine of amplitude 0.5 from ``start`` to ``end`` seconds."""

    def sound(seconds: np.ndarray) -> np.ndarray:
        return np.where((seconds >= start) & (seconds < end),
                        0.5 * np.sin(2 * np.pi * hertz * seconds), 0)

    return sound


def write_clip(path: Path | str,
               *,
               num_frames: int = 20,
               fps: float = 10,
               size: tuple[int, int] = (64, 48),
               times: Sequence[float] | None = None,
               image: Callable[[int], np.ndarray] | None = None,
               video_codec: str | None = 'libx264',
               video_options: dict[str, str] | None = None,
               rotation: int = 0,
               audio: Callable[[np.ndarray], np.ndarray] | float | None = None,
               audio_codec: str = 'aac',
               audio_rate: int = 16000,
               audio_layout: str = 'mono',
               audio_start: float = 0.0,
               audio_seconds: float | None = None) -> str:
    """Write one clip.

    Args:
        path (Path | str): Where to; the suffix says the container.
        num_frames (int): Ignored with ``times``.
        fps (float): Nominal frame rate.
        size (tuple[int, int]): (W, H), even numbers.
        times (Sequence[float], optional): Presentation times of the frames in seconds, ascending.
            Defaults to ``i / fps``.
        image (Callable, optional): Frame index -> HxWx3 uint8. Defaults to :func:`code_image`.
        video_codec (str, optional): None: no video track.
        video_options (dict, optional): Options of the encoder, such as ``dict(g='12', bf='2')``.
        rotation (int): Display rotation in degrees, as phones write it.
        audio (Callable | float, optional): Seconds on the clip's clock -> samples in -1..1, the
            same in each channel; or the frequency of a tone. None: no audio track.
        audio_codec (str): Defaults to 'aac'.
        audio_rate (int): In Hz.
        audio_layout (str): 'mono', 'stereo', '5.1', ...
        audio_start (float): When the audio track starts, in seconds.
        audio_seconds (float, optional): Its length. Defaults to the video's.

    Returns:
        str: The path.
    """
    if times is None:
        times = np.arange(num_frames) / fps
    if audio_seconds is None:
        audio_seconds = len(times) / fps
    if audio is not None and not callable(audio):
        audio = tone(audio)
    packets = []
    with av.open(str(path), 'w') as container:
        if video_codec is not None:
            options = dict(preset='ultrafast') if video_codec == 'libx264' else {}
            stream = container.add_stream(
                video_codec,
                rate=Fraction(fps).limit_denominator(1001),
                options={**options, **(video_options or {})})
            stream.width, stream.height = size
            stream.pix_fmt = 'yuv420p'
            # MPEG-4 and AVI know constant rates only
            regular = np.allclose(times, np.arange(len(times)) / fps)
            time_base = 1 / Fraction(fps).limit_denominator(1001) if regular else _VIDEO_TIME_BASE
            stream.codec_context.time_base = time_base
            if rotation:
                stream.set_display_rotation(rotation)
        if audio is not None:
            audio_stream = container.add_stream(
                audio_codec, rate=audio_rate, layout=audio_layout)
        if video_codec is not None:
            for i, seconds in enumerate(times):
                picture = image(i) if image else code_image(i, size)
                frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
                frame.pts = round(seconds / float(time_base))
                frame.time_base = time_base
                packets += stream.encode(frame)
            packets += stream.encode()
        if audio is not None:
            seconds = audio_start + np.arange(round(audio_seconds * audio_rate)) / audio_rate
            channels = len(audio_stream.layout.channels)
            samples = audio(seconds)
            for begin in range(0, len(samples), _CHUNK):
                chunk = samples[begin:begin + _CHUNK]
                if audio_codec == 'pcm_s16le':  # PyAV passes these on as they are: fast
                    array = (np.repeat(chunk, channels)[None] * 32767).astype(np.int16)
                    sample_format = 's16'
                else:
                    array = np.repeat(chunk[None], channels, axis=0).astype(np.float32)
                    sample_format = 'fltp'
                frame = av.AudioFrame.from_ndarray(
                    array, format=sample_format, layout=audio_layout)
                frame.sample_rate = audio_rate
                frame.time_base = Fraction(1, audio_rate)
                frame.pts = round(audio_start * audio_rate) + begin
                packets += audio_stream.encode(frame)
            packets += audio_stream.encode()
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for packet in packets:
            container.mux(packet)
    return str(path)
