import sys
from pathlib import Path

import av
import numpy as np
import pytest

from avgn_mm.datasets.transforms.video_reader import MediaReadError, VideoReader
from tests.media import read_code, write_clip

REAL_AVI = Path(__file__).resolve().parents[4] / 'shared/data/videos/mmaction2_test.avi'
B_FRAMES = dict(preset='medium', g='12', bf='2')
IRREGULAR = np.cumsum([0.25, *np.random.RandomState(0).uniform(0.02, 0.4, 39)])
# name: (suffix, arguments of write_clip)
CLIPS = {
    'b_frames': ('.mp4', dict(num_frames=40, video_options=B_FRAMES)),
    'open_groups': ('.mkv',
                    dict(
                        num_frames=40,
                        video_options=B_FRAMES | {'x264-params': 'open-gop=1:scenecut=0'})),
    'all_keyframes': ('.mp4', dict(num_frames=20, video_options=dict(g='1'))),
    'irregular_mp4': ('.mp4', dict(times=IRREGULAR, video_options=B_FRAMES)),
    'irregular_mkv': ('.mkv', dict(times=IRREGULAR, video_options=B_FRAMES)),
    'late_mp4': ('.mp4', dict(times=2.5 + np.arange(40) / 10, video_options=B_FRAMES, audio=440.)),
    'late_ts': ('.ts', dict(times=2.5 + np.arange(40) / 10, video_options=B_FRAMES)),
    'mpeg4_avi': ('.avi', dict(num_frames=40, video_codec='mpeg4', video_options=dict(g='9'))),
    'mpeg4_b_avi': ('.avi',
                    dict(num_frames=40, video_codec='mpeg4', video_options=dict(bf='2', g='9'))),
    'vp8_webm': ('.webm', dict(num_frames=20, video_codec='libvpx')),
    'one_frame': ('.mp4', dict(num_frames=1)),
    'three_frames': ('.mp4', dict(num_frames=3)),
}


@pytest.fixture(scope='module', params=CLIPS)
def clip(request, tmp_path_factory):
    suffix, arguments = CLIPS[request.param]
    path = tmp_path_factory.mktemp('clips') / f'{request.param}{suffix}'
    return write_clip(path, **arguments), arguments


@pytest.mark.parametrize('backend', ['auto', 'pyav'])
def test_every_frame_is_the_one_asked_for(clip, backend):
    path, arguments = clip
    reader = VideoReader(path, backend=backend)
    num = len(arguments.get('times', range(arguments.get('num_frames', 0))))
    assert len(reader.times) == num
    rng = np.random.RandomState(0)
    for inds in [np.arange(num), *(rng.randint(0, num, size) for size in (1, 3, 5, 16))]:
        images = reader.get_frames(inds)
        assert [read_code(image) for image in images] == inds.tolist()
        assert images[0].shape == (48, 64, 3) and images[0].dtype == np.uint8


def test_times_are_those_of_the_container(clip):
    path, arguments = clip
    reader = VideoReader(path)
    expected = arguments.get('times', np.arange(arguments.get('num_frames', 0)) / 10)
    assert (np.diff(reader.times) > 0).all()
    if path.endswith('.avi'):  # AVI has no presentation times: up to one frame of delay
        np.testing.assert_allclose(reader.times, expected, atol=0.11)
    else:
        np.testing.assert_allclose(reader.times, expected, atol=1.1e-3)  # Matroska has 1 ms
    assert reader.duration_seconds == pytest.approx(expected[-1] - expected[0] + 0.1, abs=0.45)
    assert reader.avg_fps == pytest.approx(len(expected) / reader.duration_seconds)


def test_frames_that_an_edit_list_hides_do_not_exist(tmp_path):
    path = write_clip(
        tmp_path / 'cut.mp4', times=-1.5 + np.arange(40) / 10, video_options=B_FRAMES)
    for backend in ('auto', 'pyav'):
        reader = VideoReader(path, backend=backend)
        np.testing.assert_allclose(reader.times, np.arange(25) / 10, atol=1e-3)
        assert [read_code(image) for image in reader.get_frames([0, 24, 3])] == [15, 39, 18]


def test_avi_whose_stamps_run_backwards():
    # DivX packs B-frames so that FFmpeg's guess of their presentation times is not in order
    if not REAL_AVI.exists():
        pytest.skip(f'{REAL_AVI} is not there')
    with av.open(str(REAL_AVI)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    inds = np.random.RandomState(0).randint(0, len(frames), 12)
    reader = VideoReader(str(REAL_AVI))
    assert len(reader.times) == len(frames)
    for i, image in zip(inds, reader.get_frames(inds)):
        np.testing.assert_allclose(image.astype(int), frames[i], atol=2)


@pytest.mark.parametrize('rotation', [90, 180, 270])
@pytest.mark.parametrize('backend', ['auto', 'pyav'])
def test_rotated_video_stands_upright(tmp_path, rotation, backend):
    path = write_clip(tmp_path / 'phone.mp4', num_frames=6, rotation=rotation, size=(96, 64))
    image = VideoReader(path, backend=backend).get_frames([5])[0]
    assert image.shape == ((64, 96, 3) if rotation == 180 else (96, 64, 3))
    assert read_code(np.rot90(image, -rotation // 90)) == 5


def test_repeated_frames_do_not_share_memory(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=2)
    images = VideoReader(path).get_frames([1, 0, 1, 1])
    images[0][:] = 7
    assert [read_code(image) for image in images[1:]] == [0, 1, 1]


def test_decord_and_pyav_agree(tmp_path):
    pytest.importorskip('decord')
    path = write_clip(tmp_path / 'clip.mp4', num_frames=20, video_options=B_FRAMES)
    inds = [3, 19, 0, 7]
    for left, right in zip(
            VideoReader(path, backend='decord').get_frames(inds),
            VideoReader(path, backend='pyav').get_frames(inds)):
        np.testing.assert_allclose(left.astype(int), right.astype(int), atol=2)


def test_without_decord(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'decord', None)
    path = write_clip(tmp_path / 'clip.mp4', num_frames=4)
    assert [read_code(image) for image in VideoReader(path).get_frames([2, 1])] == [2, 1]
    with pytest.raises(MediaReadError, match=r'decord cannot read .*clip\.mp4'):
        VideoReader(path, backend='decord')


@pytest.mark.parametrize(('name', 'clip'), [
    ('open.mkv', CLIPS['open_groups'][1]),
    ('b.avi', CLIPS['mpeg4_b_avi'][1]),
    ('late.ts', CLIPS['late_ts'][1]),
])
def test_decord_is_refused_where_its_frames_are_wrong(tmp_path, name, clip):
    pytest.importorskip('decord')
    path = write_clip(tmp_path / name, **clip)
    with pytest.raises(MediaReadError, match='not exact'):
        VideoReader(path, backend='decord')


def test_damaged_frames_fall_back_to_pyav(tmp_path):
    path = Path(write_clip(tmp_path / 'clip.mp4', num_frames=30, video_options=dict(g='10')))
    with av.open(str(path)) as container:
        position = [packet.pos for packet in container.demux(video=0)][15]
    data = bytearray(path.read_bytes())
    data[position:position + 4] = b'\xff' * 4  # the length of the frame's data
    path.write_bytes(bytes(data))
    # frame 15 cannot be decoded: the one before is shown on, as by a player
    expected = [*range(15), 14, *range(16, 30)]
    codes = [read_code(image) for image in VideoReader(str(path)).get_frames(range(30))]
    assert codes[:16] + codes[20:] == expected[:16] + expected[20:]
    pytest.importorskip('decord')
    with pytest.raises(MediaReadError, match=r'decord cannot decode .*clip\.mp4'):
        VideoReader(str(path), backend='decord').get_frames(range(30))


def test_a_long_gap_in_the_frames_is_an_error(tmp_path, monkeypatch):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=30, video_options=dict(g='1'))
    reader = VideoReader(path, backend='pyav')
    decoded = VideoReader._decoded_frames
    monkeypatch.setattr(VideoReader, '_decoded_frames',
                        lambda self: (f for f in decoded(self) if not 0.95 < f.time < 1.95))
    # what a player would show for half a second, then nothing
    assert [read_code(image) for image in reader.get_frames([9, 12, 20])] == [9, 9, 20]
    with pytest.raises(MediaReadError, match=r'frame 19 \(at 1.900 s\) of .*clip\.mp4'):
        reader.get_frames([9, 19])


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / 'text.mp4').write_text('no video\n' * 100)
    write_clip(tmp_path / 'sound.mp4', video_codec=None, audio=440.)
    for name in ('missing.mp4', 'text.mp4', 'sound.mp4'):
        with pytest.raises(MediaReadError, match=name.replace('.', r'\.')):
            VideoReader(str(tmp_path / name))


def test_decode_costs(tmp_path):
    """Groups of four: the first frame is decoded alone, the last with the three before it."""
    path = tmp_path / 'groups.mp4'
    write_clip(path, num_frames=10, video_options={'g': '4', 'bf': '0', 'sc_threshold': '0'})
    reader = VideoReader(path)
    assert reader.decode_costs.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    reader.close()


def test_frames_that_no_other_refers_to_are_left_out(tmp_path, monkeypatch):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=60, video_options={
        'preset': 'medium', 'g': '60',
        'x264-params': 'bframes=2:b-pyramid=none:b-adapt=0:scenecut=0'})
    decoded = VideoReader._decoded_frames
    seen = []
    monkeypatch.setattr(VideoReader, '_decoded_frames',
                        lambda self: (seen.append(f) or f for f in decoded(self)))
    reader = VideoReader(path)
    for want in range(30, 36):  # of every three, two are B-frames
        seen.clear()
        assert [read_code(image) for image in reader.get_frames([want])] == [want]
        assert 10 <= len(seen) <= 14  # nothing is read beyond the P-frame after it
    monkeypatch.setattr(VideoReader, '_decoded_frames',
                        lambda self: (f for f in decoded(self) if not self._shortcuts
                                      or f.time < 2))
    # Where they turn out to be missed, everything is decoded, from then on.
    assert [read_code(image) for image in reader.get_frames([10, 40])] == [10, 40]
    assert not reader._shortcuts


def count_packets(monkeypatch):
    packets = VideoReader._packets
    sent = []
    monkeypatch.setattr(VideoReader, '_packets',
                        lambda self: (sent.append(p) or p for p in packets(self)))
    return sent


def test_decoding_stops_at_the_last_wanted_frame(tmp_path, monkeypatch):
    """A decoder shows a frame when it has read on as far as frames can be out of order."""
    path = write_clip(tmp_path / 'clip.mp4', num_frames=60, video_options={
        'preset': 'medium', 'x264-params': 'keyint=20:bframes=3:b-pyramid=normal:scenecut=0'})
    sent = count_packets(monkeypatch)
    reader = VideoReader(path)
    for wanted, number in (([20], 1), ([0, 40], 2), ([19, 20], 21), ([40, 0, 20], 3)):
        sent.clear()
        assert [read_code(image) for image in reader.get_frames(wanted)] == wanted
        assert sum(packet.size > 0 for packet in sent) == number


@pytest.mark.parametrize('options', [
    'bframes=3:b-pyramid=normal:ref=4:keyint=20',
    'bframes=2:open-gop=1:keyint=12:scenecut=0',
    'bframes=3:intra-refresh=1:keyint=15',
    'bframes=3:weightp=2:slices=3:keyint=250',
])
def test_shortcuts_change_nothing(tmp_path, options):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=50, size=(96, 64), image=moving,
                      video_options={'preset': 'medium', 'x264-params': options})
    short, plain = VideoReader(path), VideoReader(path)
    plain._shortcuts = 0
    expected = plain.get_frames(range(50))
    rng = np.random.RandomState(0)
    for size in (1, 1, 1, 2, 4, 9):
        inds = rng.choice(50, size, replace=False)
        for i, image in zip(inds, short.get_frames(inds)):
            np.testing.assert_array_equal(image, expected[i])
    assert short._shortcuts == 2


def moving(index):
    noise = np.random.RandomState(1).randint(0, 255, (64, 200, 3)).astype(np.uint8)
    return np.ascontiguousarray(np.roll(noise, 3 * index, axis=1)[:, :96])


def test_interlaced_frames_are_read_to_their_second_field(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=30, size=(64, 64), video_options={
        'preset': 'medium', 'x264-params': 'tff=1:bframes=2:keyint=15'})
    reader = VideoReader(path)
    assert [read_code(image) for image in reader.get_frames([22, 3])] == [22, 3]
    assert reader._shortcuts == 1
