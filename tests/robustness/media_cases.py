"""Files as the internet has them: what each holds, or why it cannot be read.

Every case writes one file into an empty folder. Frames say their number (as tiles, or where they
are too small for it as a grey level), sounds are tones: what is read can be held against it.
"""

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from tests.media import code_image, read_code, tone, write_clip
from tests.robustness.writers import (
    FPS,
    Writer,
    box,
    bytes_of,
    changed,
    clip,
    cut_before,
    fill_frames,
    linked,
    made,
    moved,
    noise,
    picture_track,
    read_level,
    remuxed,
    rename_boxes,
    two_tracks,
)

HERTZ = 440.0
SAMPLE_RATE = 16000
NOBODY = 65534


@dataclass(frozen=True)
class Content:
    """The right answer.

    Attributes:
        times (Sequence[float]): When each frame is presented, in seconds.
        codes (Sequence[int], optional): What each says. Defaults to its number.
        size (tuple[int, int]): (H, W) of what is shown.
        levels (bool): Frames say their number as a grey level.
        turned (int): The numbers can be read after turning the picture clockwise by so many
            degrees.
        sound (tuple, optional): Hertz, first and last second of the tone; None: no sound.
        level (float): RMS of the tone.
        tolerance (float): Of the times, in seconds.
    """
    times: Sequence[float] = tuple(i / FPS for i in range(20))
    codes: Sequence[int] | None = None
    size: tuple[int, int] = (48, 64)
    levels: bool = False
    turned: int = 0
    sound: tuple[float, float, float] | None = None
    level: float = 0.5 / 2**0.5
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Case:
    """A file and what reading it should give.

    Attributes:
        name (str): Of the case.
        write (Callable): Folder -> path of the file in it.
        expected (Content | str): What it holds, or a pattern of the error.
        codecs (tuple[str, ...]): Encoders without which the file cannot be written.
        meanwhile (Callable, optional): What happens to the path while it is being read.
        user (int, optional): Who reads.
        relative (bool): The file is named from within its folder.
    """
    name: str
    write: Callable[[Path], Path]
    expected: Content | str
    codecs: tuple[str, ...] = ()
    meanwhile: Callable[[Path], None] | None = None
    user: int | None = None
    relative: bool = False

    @property
    def missing_codecs(self) -> list[str]:
        return [name for name in self.codecs if not can_encode(name)]


def can_encode(codec: str) -> bool:
    try:
        return av.Codec(codec, 'w') is not None
    except ValueError:
        return False


def check(content: Content, read: dict) -> str | None:
    """Hold what was read against what is there.

    Returns:
        str | None: What is wrong, if anything.
    """
    times = np.asarray(content.times)
    if len(read['times']) != len(times):
        return f'{len(read["times"])} frames instead of {len(times)}'
    late = np.abs(read['times'] - times).max()
    if late > content.tolerance:
        return f'times are off by {late:.3g} s: {read["times"]}'
    codes = np.arange(len(times)) if content.codes is None else np.asarray(content.codes)
    shapes = {image.shape for image in read['imgs']}
    if shapes != {(*content.size, 3)}:
        return f'pictures of {shapes} instead of {content.size}'
    read_one = read_level if content.levels else read_code
    found = [read_one(np.rot90(image, -content.turned // 90)) for image in read['imgs']]
    if found != codes[read['inds']].tolist():
        return f'frames {found} instead of {codes[read["inds"]].tolist()}'
    if read['has_audio'] != (content.sound is not None):
        return f'has_audio is {read["has_audio"]}'
    if read['imgs_shape'][1:] != (3, 224, 224) or read['audios_shape'][1:] != (1, 96, 64):
        return f'inputs of {read["imgs_shape"]} and {read["audios_shape"]}'
    return _check_sound(content, read['waveforms'], times[read['inds']])


def _check_sound(content: Content, waveforms: np.ndarray, centres: np.ndarray) -> str | None:
    if content.sound is None:
        return 'sound out of nothing' if waveforms.any() else None
    hertz, start, end = content.sound
    offsets = (np.arange(waveforms.shape[1]) - waveforms.shape[1] / 2) / SAMPLE_RATE
    heard = 0
    for centre, waveform in zip(centres, waveforms):
        seconds = centre + offsets
        # Encoders blur the tone's ends, and may let it ring to the end of their last frame.
        inside = waveform[(seconds > start + 0.03) & (seconds < end - 0.03)]
        outside = waveform[(seconds < start - 0.03) | (seconds > end + 0.14)]
        if outside.size and np.sqrt(np.mean(outside**2)) > 0.02:
            return f'sound beyond its track, around {centre:.2f} s'
        if inside.size < SAMPLE_RATE // 10:
            continue
        heard += 1
        level = np.sqrt(np.mean(inside**2))
        if abs(level / content.level - 1) > 0.12:
            return f'a tone of RMS {level:.3f} instead of {content.level:.3f} at {centre:.2f} s'
        spectrum = np.abs(np.fft.rfft(inside * np.hanning(inside.size), 1 << 16))
        found = spectrum.argmax() * SAMPLE_RATE / (1 << 16)
        if abs(found - hertz) > 0.01 * hertz + 2:
            return f'{found:.0f} Hz instead of {hertz:.0f} at {centre:.2f} s'
    return None if heard else 'no window heard the tone'




# ------------------------------------------------------------------ the cases

PLAIN = clip(audio=HERTZ)
SILENT = clip()
WITH_SOUND = Content(sound=(HERTZ, 0.0, 2.0))
WITHOUT_SOUND = Content()
FASTSTART = dict(movflags='faststart')
# Reordered frames; `ultrafast`, which write_clip takes otherwise, has none.
B_FRAMES = dict(preset='medium', g='10', bf='2')
IRREGULAR = tuple(np.cumsum([0.0, *np.random.RandomState(0).uniform(0.02, 0.3, 19)]).round(3))
AAC_DELAY = 1024 / SAMPLE_RATE
SESSION = b'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n' \
    b'm=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n'


def _shifted(seconds: float, sound: bool = True, **more) -> Content:
    return Content(times=[seconds + i / FPS for i in range(20)],
                   sound=(HERTZ, seconds, seconds + 2.0) if sound else None, **more)


def _with_cover(write: Writer, name: str) -> Writer:
    def mark(streams: list) -> None:
        streams[-1].disposition = av.stream.Disposition.attached_pic

    return two_tracks(write, picture_track('a.jpg', 'mjpeg', 'yuvj420p', num_frames=1,
                                           container='image2', size=(100, 100)), name, mark)


def _naming_another(text: str, suffix: str) -> Writer:
    """A text file that FFmpeg would follow to another file."""
    def write(folder: Path) -> Path:
        path = folder / 'list.mp4'
        path.write_text(text.format(clip(f'other{suffix}')(folder).name))
        return path

    return write


def _huge(side: int, in_header: bool = False) -> Writer:
    """JPEGs of a hundred bytes that claim a size of which the container may know nothing."""
    def claim(data: bytearray) -> bytes:
        start_of_frame = b'\xff\xc0\x00\x11\x08'
        data = data.replace(start_of_frame + struct.pack('>HH', 48, 64),
                            start_of_frame + struct.pack('>HH', side, side))
        if in_header:
            data = data.replace(struct.pack('<II', 64, 48), struct.pack('<II', side, side))
        return data

    return changed(picture_track('huge.avi', 'mjpeg', 'yuvj420p', num_frames=3), claim)


def _unreadable(folder: Path) -> Path:
    path = PLAIN(folder)
    path.chmod(0)
    return path


def _two_sizes(folder: Path) -> Path:
    """Broadcasts change their resolution in the middle: transport streams can be joined."""
    parts = []
    for i, size in enumerate([(64, 48), (96, 72)]):
        path = Path(write_clip(folder / f'{i}.ts', num_frames=10, size=size,
                               times=[(i * 10 + j) / FPS for j in range(10)],
                               image=lambda j, i=i, size=size: code_image(i * 10 + j, size)))
        parts.append(path.read_bytes())
        path.unlink()
    (folder / 'joined.ts').write_bytes(b''.join(parts))
    return folder / 'joined.ts'


def _broken() -> list[Case]:
    fast = remuxed(PLAIN, 'fast.mp4', options=FASTSTART)
    page = b'<!DOCTYPE html><html><body>404 Not Found</body></html>' * 20
    ten = Content(times=[i / FPS for i in range(10)], sound=(HERTZ, 0.0, 1.0))
    no_track = 'no video track'
    return [
        Case('zero bytes', bytes_of('empty.mp4', b''), 'cannot open'),
        Case('one byte', bytes_of('one.mp4', b'\0'), 'cannot open'),
        Case('text', bytes_of('text.mp4', b'This is not a video.\n' * 200), 'cannot open'),
        Case('a web page', bytes_of('page.mp4', page), 'cannot open'),
        Case('random bytes', bytes_of('noise.mp4', noise(65536)), 'cannot open'),
        Case('zeros', bytes_of('zeros.mp4', bytes(65536)), 'cannot open'),
        Case('mp4 header only', changed(PLAIN, lambda d: d[box(d, b'ftyp')]), 'cannot open'),
        Case('moov missing', changed(PLAIN, lambda d: d[:box(d, b'moov').start]), 'cannot open'),
        Case('moov renamed', changed(PLAIN, rename_boxes(b'moov')), 'cannot open'),
        Case('mp4 cut in half', changed(PLAIN, lambda d: d[:len(d) // 2]), 'cannot open'),
        Case('mp4 cut in moov', changed(PLAIN, lambda d: d[:-200]), 'cannot open'),
        Case('faststart mp4 without frames', cut_before(0, fast), 'no video frames'),
        Case('faststart mp4 cut after 10 frames', cut_before(10, fast), ten),
        Case('mkv cut after 10 frames', cut_before(10, clip('clip.mkv', audio=HERTZ)), ten),
        Case('ts cut after 10 frames', cut_before(10, clip('clip.ts')),
             replace(ten, sound=None)),
        Case('avi cut after 10 frames', cut_before(10, clip(
            'clip.avi', video_codec='mpeg4', audio=HERTZ, audio_codec='pcm_s16le')), ten),
        Case('frames of noise', changed(SILENT, fill_frames(noise)), 'damaged'),
        Case('frames of zeros', changed(SILENT, fill_frames(bytes)), 'damaged'),
        Case('unknown video codec', changed(SILENT, rename_boxes(b'avc1', b'avcC')), 'cannot open'),
        Case('unknown audio codec', changed(PLAIN, rename_boxes(b'mp4a', b'esds')), WITHOUT_SOUND),
        Case('sound only, mp4', clip(video_codec=None, audio=HERTZ), no_track),
        Case('sound only, wav', clip('a.wav', video_codec=None, audio=HERTZ,
                                     audio_codec='pcm_s16le'), no_track),
        Case('sound with a cover picture', _with_cover(
            clip('a.mp3', video_codec=None, audio=HERTZ, audio_codec='libmp3lame'), 'song.mp3'),
             no_track),
        Case('video with a cover picture', _with_cover(PLAIN, 'film.mp4'), WITH_SOUND),
        Case('a picture', picture_track('a.png', 'png', 'rgb24', num_frames=1,
                                        container='image2'), Content(times=[0.0])),
        Case('a playlist', _naming_another(
            '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n', '.ts'),
             'cannot open'),
        Case('a list of files', _naming_another('ffconcat version 1.0\nfile {}\n', '.mp4'),
             'playlist'),
        Case('an invitation to a broadcast', bytes_of('a.mp4', SESSION), 'cannot open'),
        Case('16000 x 16000 pixels', _huge(16000), 'damaged'),
        Case('65500 x 65500 pixels', _huge(65500), 'damaged'),
        Case('9000 x 9000 pixels, as the header says', _huge(9000, True), '67108864 pixels'),
    ]


def _formats() -> list[Case]:
    def case(name: str, container: str, video: str, audio: str | None = None, rate: int = 48000,
             content: Content | None = None, **more) -> Case:
        found = content or Content(sound=(HERTZ, 0.0, 2.0) if audio else None)
        write = clip(container, video_codec=video, audio=HERTZ if audio else None,
                     audio_codec=audio or 'aac', audio_rate=rate, **more)
        return Case(name, write, found, codecs=(video, *([audio] if audio else [])))

    def mpeg2(start: float) -> Content:
        return Content(times=[start + i / 25 for i in range(20)], sound=(HERTZ, start, start + 0.8))

    return [
        Case('H.264 and AAC, mp4', PLAIN, WITH_SOUND),
        Case('video only', SILENT, WITHOUT_SOUND),
        Case('fragmented mp4', remuxed(PLAIN, 'f.mp4', options=dict(
            movflags='frag_keyframe+empty_moov+delay_moov')), WITH_SOUND),
        case('H.264 and FLAC, mkv', 'a.mkv', 'libx264', 'flac'),
        case('H.264 and PCM, mov', 'a.mov', 'libx264', 'pcm_s16le'),
        case('H.264 and AAC, flv', 'a.flv', 'libx264', 'aac', 44100, _shifted(0.023)),
        case('VP9 and Opus, webm', 'a.webm', 'libvpx-vp9', 'libopus'),
        case('VP8 and Opus, webm', 'a.webm', 'libvpx', 'libopus'),
        case('HEVC and AAC, mp4', 'a.mp4', 'libx265', 'aac', video_options={
            'preset': 'ultrafast', 'x265-params': 'log-level=none:pools=none'}),
        case('AV1 and Opus, mp4', 'a.mp4', 'libsvtav1', 'libopus',
             video_options=dict(preset='12')),
        case('AV1, webm', 'a.webm', 'libsvtav1', video_options=dict(preset='12')),
        case('MPEG-2 and MP2, ts', 'a.ts', 'mpeg2video', 'mp2', fps=25, content=mpeg2(0.04)),
        case('MPEG-2 and MP2, mpg', 'a.mpg', 'mpeg2video', 'mp2', fps=25, content=mpeg2(0.54)),
        case('MPEG-4 and PCM, avi', 'a.avi', 'mpeg4', 'pcm_s16le'),
        case('MPEG-4 and AAC, mp4', 'a.mp4', 'mpeg4', 'aac'),
        case('WMV and AC-3, wmv', 'a.wmv', 'wmv2', 'ac3', content=_shifted(0.005)),
        Case('MJPEG, avi', picture_track('a.avi', 'mjpeg', 'yuvj420p'), WITHOUT_SOUND),
        Case('ProRes, mov', picture_track('a.mov', 'prores_ks', 'yuv422p10le'), WITHOUT_SOUND,
             codecs=('prores_ks', )),
        Case('FFV1, mkv', picture_track('a.mkv', 'ffv1', 'yuv420p'), WITHOUT_SOUND),
        Case('GIF', picture_track('a.gif', 'gif', 'gray'), WITHOUT_SOUND),
    ]


def _pictures() -> list[Case]:
    def interlace(stream: 'av.VideoStream') -> None:
        stream.codec_context.flags |= (av.codec.context.Flags.interlaced_dct
                                       | av.codec.context.Flags.interlaced_me)

    hevc10 = {'preset': 'ultrafast', 'x265-params': 'log-level=none:pools=none'}
    fast = dict(preset='ultrafast')
    small = dict(levels=True)
    return [
        Case('1 x 1', picture_track('a.mkv', 'ffv1', 'bgr0', size=(1, 1), **small),
             Content(size=(1, 1), **small)),
        Case('17 x 3', picture_track('a.mkv', 'ffv1', 'bgr0', size=(17, 3), **small),
             Content(size=(3, 17), **small)),
        Case('65 x 49, cropped H.264', picture_track('a.mp4', 'libx264', 'yuv444p', size=(65, 49),
                                                     options=fast), Content(size=(49, 65))),
        Case('7680 wide', picture_track('a.mp4', 'libx264', 'yuv420p', size=(7680, 64),
                                        options=fast), Content(size=(64, 7680))),
        Case('4 x 4320', picture_track('a.mp4', 'libx264', 'yuv420p', size=(4, 4320),
                                       options=fast), Content(size=(4320, 4))),
        Case('10-bit H.264', picture_track('a.mp4', 'libx264', 'yuv420p10le', options=fast),
             WITHOUT_SOUND),
        Case('10-bit HEVC', picture_track('a.mp4', 'libx265', 'yuv420p10le', options=hevc10),
             WITHOUT_SOUND, codecs=('libx265', )),
        Case('grayscale', picture_track('a.mp4', 'libx264', 'gray', options=fast), WITHOUT_SOUND),
        Case('16-bit grayscale', picture_track('a.mkv', 'ffv1', 'gray16le'), WITHOUT_SOUND),
        Case('4:4:4', picture_track('a.mp4', 'libx264', 'yuv444p', options=fast), WITHOUT_SOUND),
        Case('RGB H.264', picture_track('a.mkv', 'libx264rgb', 'rgb24', options=fast),
             WITHOUT_SOUND),
        Case('alpha, QuickTime', picture_track('a.mov', 'qtrle', 'argb', alpha=90), WITHOUT_SOUND),
        Case('alpha, VP9', picture_track('a.webm', 'libvpx-vp9', 'yuva420p', alpha=90),
             WITHOUT_SOUND, codecs=('libvpx-vp9', )),
        Case('alpha, ProRes 4444', picture_track('a.mov', 'prores_ks', 'yuva444p10le', alpha=90),
             WITHOUT_SOUND, codecs=('prores_ks', )),
        Case('PNG, mov', picture_track('a.mov', 'png', 'rgb24'), WITHOUT_SOUND),
        Case('interlaced MPEG-2', picture_track('a.mkv', 'mpeg2video', 'yuv420p', size=(64, 64),
                                                configure=interlace), Content(size=(64, 64))),
        Case('interlaced H.264', picture_track(
            'a.mkv', 'libx264', 'yuv420p', size=(64, 64),
            options=fast | {'x264-params': 'interlaced=1'}), Content(size=(64, 64))),
        Case('pixels that are not square', picture_track('a.mp4', 'libx264', 'yuv420p', options=(
            fast | {'aspect': '2:1'})), WITHOUT_SOUND),
        *[Case(f'rotated by {degrees}', clip(rotation=degrees, size=(96, 64)),
               Content(size=(64, 96) if degrees == 180 else (96, 64), turned=degrees))
          for degrees in (90, 180, 270)],
        Case('resolution that changes', _two_sizes, Content(size=(48, 64))),
    ]


def _timelines() -> list[Case]:
    def late(name: str, **more) -> Writer:
        return clip(name, times=[2.5 + i / FPS for i in range(20)], audio=HERTZ, audio_start=2.5,
                    video_options=B_FRAMES, **more)

    def jump(packet: 'av.Packet') -> None:
        if packet.pts >= packet.time_base.denominator:  # a day between the first and second half
            packet.pts += 86400 * packet.time_base.denominator
            packet.dts += 86400 * packet.time_base.denominator

    def repeat(packet: 'av.Packet') -> None:
        packet.pts = packet.dts = packet.pts // 2

    def wrap(packet: 'av.Packet') -> None:
        packet.pts += 2**33 - 90000
        packet.dts += 2**33 - 90000

    gap = [0, 0.1, 0.2, *(30 + i / FPS for i in range(17))]
    every_day = [i / FPS + (86400 if i >= 10 else 0) for i in range(20)]
    return [
        Case('one frame', clip(num_frames=1), Content(times=[0.0])),
        Case('two frames', clip(num_frames=2), Content(times=[0.0, 0.1])),
        Case('one frame and sound', clip(num_frames=1, audio=HERTZ, audio_seconds=2.0),
             Content(times=[0.0], sound=(HERTZ, 0.0, 2.0))),
        Case('1 frame per second', clip(fps=1, audio=HERTZ), Content(
            times=range(20), sound=(HERTZ, 0.0, 20.0))),
        Case('240 frames per second', clip(fps=240, num_frames=480),
             Content(times=[i / 240 for i in range(480)])),
        Case('variable frame rate, mp4', clip(times=IRREGULAR, video_options=B_FRAMES),
             Content(times=IRREGULAR)),
        Case('variable frame rate, mkv', clip('a.mkv', times=IRREGULAR, video_options=B_FRAMES),
             Content(times=IRREGULAR)),
        Case('a frame that stays for 30 s', clip(times=gap, audio=HERTZ, audio_seconds=31.7),
             Content(times=gap, sound=(HERTZ, 0.0, 31.7))),
        Case('a day is missing', remuxed(SILENT, 'a.mkv', jump), Content(times=every_day)),
        Case('B-frames with negative stamps, mp4', clip(video_options=B_FRAMES, audio=HERTZ),
             WITH_SOUND),
        Case('B-frames without edit list', remuxed(
            clip(video_options=B_FRAMES), 'b.mp4', options=dict(use_editlist='0')),
             _shifted(0.2, sound=False)),
        Case('B-frames, ts', clip('a.ts', video_options=B_FRAMES), _shifted(0.2, sound=False)),
        Case('B-frames, avi', clip('a.avi', video_codec='mpeg4',
                                   video_options=dict(bf='2', g='9')),
             Content(tolerance=0.11)),  # AVI has no presentation times
        Case('start at 2.5 s, mp4', late('a.mp4'), _shifted(2.5)),
        Case('start at 2.5 s, mkv', late('a.mkv'), _shifted(2.5)),
        Case('start at 2.5 s, ts', late('a.ts'), _shifted(2.5)),
        Case('clock that wraps around, ts', remuxed(clip('a.ts'), 'b.ts', wrap),
             _shifted(-1.0, sound=False)),
        Case('half the frame interval', remuxed(SILENT, 'a.mkv', repeat), Content(
            times=[i / 2 / FPS for i in range(20)])),
    ]


def _sounds() -> list[Case]:
    def rate(hertz: int, codec: str, suffix: str) -> Case:
        return Case(f'sound of {hertz / 1000:g} kHz', clip(
            f'a{suffix}', audio=HERTZ, audio_rate=hertz, audio_codec=codec), WITH_SOUND)

    def layout(channels: str, codec: str = 'flac', suffix: str = '.mkv') -> Case:
        return Case(f'sound in {channels}', clip(
            f'a{suffix}', audio=HERTZ, audio_rate=48000, audio_codec=codec,
            audio_layout=channels), WITH_SOUND)

    def no_sound(packet: 'av.Packet') -> bool:
        return packet.stream.type == 'video'

    return [
        *[rate(*each) for each in (
            (8000, 'aac', '.mp4'), (11025, 'pcm_s16le', '.mov'), (22050, 'aac', '.mp4'),
            (44100, 'libmp3lame', '.mp4'), (48000, 'ac3', '.mkv'), (96000, 'flac', '.mkv'),
            (192000, 'flac', '.mkv'), (192000, 'pcm_s16le', '.mov'))],
        *[layout(name) for name in ('stereo', '2.1', 'quad', '5.1')],
        layout('7.1', 'pcm_s16le', '.mov'),
        layout('5.1', 'aac', '.mp4'),
        Case('sound shorter', clip(audio=HERTZ, audio_seconds=0.8), Content(
            sound=(HERTZ, 0.0, 0.8))),
        Case('sound longer', clip(audio=HERTZ, audio_seconds=6.0), Content(
            sound=(HERTZ, 0.0, 6.0))),
        Case('sound later', clip('a.mkv', audio=HERTZ, audio_start=0.9, audio_seconds=1.1),
             Content(sound=(HERTZ, 0.9, 2.0))),
        Case('sound later, mp4', clip(audio=HERTZ, audio_start=0.9, audio_seconds=1.1),
             Content(sound=(HERTZ, 0.9, 2.0))),
        Case('sound earlier', clip(times=[1 + i / FPS for i in range(20)], audio=HERTZ,
                                   audio_seconds=3.0),
             Content(times=[1 + i / FPS for i in range(20)], sound=(HERTZ, 0.0, 3.0))),
        Case('sound with a hole', clip(audio=lambda s: tone(HERTZ, end=0.6)(s)),
             Content(sound=(HERTZ, 0.0, 0.6))),
        Case('sound track without packets', remuxed(PLAIN, 'a.mkv', no_sound), WITHOUT_SOUND),
        Case('two sound tracks', two_tracks(PLAIN, clip('b.mkv', video_codec=None, audio=1000.0),
                                            'c.mkv'), _shifted(AAC_DELAY)),
        Case('two video tracks', two_tracks(PLAIN, picture_track(
            'b.mkv', 'libx264', 'yuv420p', size=(32, 32), num_frames=5), 'c.mkv'),
             _shifted(AAC_DELAY)),
    ]


def _paths() -> list[Case]:
    def named(what: str, name: str | bytes) -> Case:
        return Case(f'name with {what}', moved(PLAIN, name), WITH_SOUND)

    return [
        named('spaces', ' a  b .mp4'),
        named('quotes', '''a'b"c`d`.mp4'''),
        named('a newline', 'a\nb.mp4'),
        named('non-ASCII letters', 'жизнь 動画 é🎬.mp4'),
        named('bytes that are not UTF-8', b'caf\xe9.mp4'),
        named('a shell command', '$(touch x); rm -rf $HOME & .mp4'),
        named('a percent sign', '%03d.mp4'),
        named('wildcards', '*[a]?.mp4'),
        Case('name like a URL', moved(PLAIN, 'http:a.mp4'), WITH_SOUND, relative=True),
        Case('name like a command of FFmpeg', moved(PLAIN, 'concat:a|b.mp4'), WITH_SOUND,
             relative=True),
        Case('name with a dash in front', moved(PLAIN, '-i.mp4'), WITH_SOUND, relative=True),
        named('no suffix', 'video'),
        named('another suffix', 'video.txt'),
        named('255 bytes', 'a' * 251 + '.mp4'),
        Case('symbolic link', linked(PLAIN), WITH_SOUND),
        Case('link to nothing', made(lambda path: path.symlink_to('nothing')), 'No such file'),
        Case('link to itself', made(lambda path: path.symlink_to(path.name)), 'symbolic links'),
        Case('folder', made(Path.mkdir), 'Is a directory'),
        Case('named pipe', made(os.mkfifo), 'not a regular file'),
        Case('device', made(lambda path: path.symlink_to('/dev/zero')), 'not a regular file'),
        Case('nothing', made(lambda path: None), 'No such file'),
        Case('name too long', made(lambda path: None, 'a' * 300 + '.mp4'), 'too long'),
        Case('NUL in the name', lambda folder: Path(f'{PLAIN(folder)}\0.mp4'), 'null'),
        Case('no permission', _unreadable, 'Permission denied', user=NOBODY),
        Case('emptied while it is read', PLAIN, 'clip.mp4',
             meanwhile=lambda path: os.truncate(path, 0)),
        Case('deleted while it is read', PLAIN, 'No such file', meanwhile=os.unlink),
    ]


CASES = [*_broken(), *_formats(), *_pictures(), *_timelines(), *_sounds(), *_paths()]
