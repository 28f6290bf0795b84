import numpy as np
import pytest

from avgn_mm.datasets.transforms.audio_reader import AudioReader, cut_windows
from avgn_mm.datasets.transforms.video_reader import MediaReadError, VideoReader
from tests.media import tone, write_clip

RATE = 16000


def onset_seconds(waveform, start):
    return (np.flatnonzero(np.abs(waveform) > 0.1)[0] + start) / RATE


def test_cut_windows():
    windows = cut_windows(np.arange(1, 6, dtype=np.float32), 10, np.array([8, 11, 13, 20]), 3)
    assert windows.tolist() == [[0, 0, 1], [2, 3, 4], [4, 5, 0], [0, 0, 0]]


@pytest.mark.parametrize(('suffix', 'codec', 'rate', 'layout'), [
    ('.mp4', 'aac', 8000, 'mono'),
    ('.mp4', 'aac', 16000, 'mono'),
    ('.mp4', 'aac', 44100, 'stereo'),
    ('.mp4', 'aac', 48000, '5.1'),
    ('.mp4', 'libmp3lame', 44100, 'stereo'),
    ('.mkv', 'libopus', 48000, 'stereo'),
    ('.mkv', 'ac3', 48000, '5.1'),
    ('.mkv', 'pcm_s16le', 22050, 'stereo'),
])
def test_sound_keeps_its_place_and_its_level(tmp_path, suffix, codec, rate, layout):
    path = write_clip(
        tmp_path / f'clip{suffix}',
        num_frames=60,
        audio=tone(440, start=3.0, end=4.5),
        audio_codec=codec,
        audio_rate=rate,
        audio_layout=layout)
    start = 42345
    window = AudioReader(path).read_windows(np.array([start]), 15600)[0]
    assert window.dtype == np.float32
    assert onset_seconds(window, start) == pytest.approx(3.0, abs=3e-3)
    # two, six or one channel: the mix is as loud as each of them
    loud = window[48000 - start + 800:]
    assert np.sqrt((loud**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    begin, waveform = AudioReader(path).read_all()
    assert onset_seconds(waveform, begin) == pytest.approx(3.0, abs=3e-3)


def test_the_track_may_start_late_and_end_early(tmp_path):
    path = write_clip(
        tmp_path / 'clip.mp4', num_frames=60, audio=440., audio_start=1.5, audio_seconds=2.0)
    starts = (np.array([-1, 0.9, 1.2, 3.0, 5.0]) * RATE).astype(int)
    windows = AudioReader(path).read_windows(starts, 15600)
    assert not windows[[0, 4]].any()  # before and after the track
    # AAC starts and ends within one frame of 64 ms of the cut
    assert onset_seconds(windows[1], starts[1]) == pytest.approx(1.5, abs=0.066)
    assert onset_seconds(windows[2], starts[2]) == pytest.approx(1.5, abs=0.066)
    assert not windows[3, int(0.64 * RATE):].any() and windows[3, :int(0.4 * RATE)].any()


def test_silence_beyond_the_track_is_exact(tmp_path):
    path = write_clip(
        tmp_path / 'clip.mov', audio=440., audio_codec='pcm_s16le', audio_rate=44100)
    windows = AudioReader(path).read_windows(np.array([-800, 2 * RATE - 800]), 1600)
    assert not windows[0, :800].any() and windows[0, 800:].any()
    assert windows[1, :800].any() and not windows[1, 800:].any()


def test_sound_and_frames_share_the_clock_of_the_container(tmp_path):
    # a flash and a beep at 4 s in a file whose tracks start at 2.5 s and 2 s
    times = 2.5 + np.arange(40) / 10
    for suffix in ('.mp4', '.ts', '.mkv'):
        path = write_clip(
            tmp_path / f'clip{suffix}',
            times=times,
            image=lambda i: np.full((48, 64, 3), 255 * (times[i] > 3.99), dtype=np.uint8),
            audio=tone(440, start=4.0),
            audio_start=2.0,
            audio_seconds=5.0)
        video = VideoReader(path)
        bright = [image.mean() > 128 for image in video.get_frames(range(40))]
        flash = video.times[bright.index(True)]
        begin, waveform = AudioReader(path).read_all()
        assert onset_seconds(waveform, begin) == pytest.approx(flash, abs=5e-3)
        assert flash == pytest.approx(4.0, abs=0.07)  # MPEG-TS shifts both for AAC's delay


@pytest.mark.parametrize(('suffix', 'codec', 'rate'), [('.mp4', 'aac', 16000),
                                                       ('.mov', 'pcm_s16le', 44100),
                                                       ('.mov', 'pcm_s16le', 48000)])
def test_a_window_does_not_depend_on_the_others(tmp_path, suffix, codec, rate):
    noise = np.random.RandomState(0)
    path = write_clip(
        tmp_path / f'clip{suffix}',
        num_frames=80,
        audio=lambda seconds: noise.uniform(-0.5, 0.5, len(seconds)),
        audio_codec=codec,
        audio_rate=rate,
        audio_layout='stereo')
    starts = np.array([100000, 2000, 9000, -3000, 60001, 2000])
    together = AudioReader(path).read_windows(starts, 4000)
    alone = [AudioReader(path).read_windows(starts[i:i + 1], 4000)[0] for i in range(6)]
    begin, waveform = AudioReader(path).read_all()
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, cut_windows(waveform, begin, starts, 4000))


def test_overlapping_windows_are_decoded_once(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=20, audio=440.)
    reader = AudioReader(path)
    reader.read_windows(np.arange(16) * 1000, 15600)
    assert reader.decoded_seconds < 2.1


def test_a_long_file_is_read_by_seeking(long_clip):
    reader = AudioReader(long_clip)
    times = (np.arange(16) + 0.5) / 16 * 600
    windows = reader.read_windows(np.rint((times - 0.4875) * RATE).astype(int), 15600)
    assert reader.decoded_seconds < 16 * (0.975 + 0.1 + 0.3)
    # at t seconds the sound has 300 + t Hz
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(15600)))
    np.testing.assert_allclose(spectrum.argmax(axis=1) * RATE / 15600, 300 + times, atol=2)


def test_damaged_packets_are_silent(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_clip(path, num_frames=60, audio=440.)
    data = bytearray(path.read_bytes())
    data[len(data) // 2:len(data) // 2 + 2000] = np.random.RandomState(0).bytes(2000)
    path.write_bytes(bytes(data))
    assert AudioReader(str(path)).read_windows(np.array([1000]), 15600).any()


def test_a_file_without_sound_is_named(tmp_path):
    path = write_clip(tmp_path / 'mute.mp4')
    with pytest.raises(MediaReadError, match=r'mute\.mp4 has no audio track'):
        AudioReader(path).read_windows(np.array([0]), 10)


def test_the_first_sound_of_an_mp4_does_not_fade_in(tmp_path):
    path = write_clip(tmp_path / 'tone.mp4', audio=tone())
    _, waveform = AudioReader(path).read_all()
    steady = np.sqrt((waveform[8000:12000] ** 2).mean())
    assert np.sqrt((waveform[:320] ** 2).mean()) > 0.8 * steady  # 20 ms
