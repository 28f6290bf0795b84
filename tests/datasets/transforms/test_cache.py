import os

import numpy as np
import pytest

from avgn_mm.datasets.transforms import AVInit, DecodeAudio, DecodeFrames, SampleFrameTimes
from avgn_mm.datasets.transforms.audio_reader import AudioReader
from avgn_mm.datasets.transforms.cache import MEDIA_CACHE, CachedVideo
from avgn_mm.datasets.transforms.decoding import MediaReadError
from avgn_mm.datasets.transforms.video_reader import VideoReader
from tests.media import tone, write_clip

FRAMES = 20 * 48 * 64 * 3 + 20 * 8  # 20 frames and their times


@pytest.fixture(autouse=True)
def empty_cache():
    MEDIA_CACHE.clear()
    yield
    MEDIA_CACHE.clear()


def load(path, cache_bytes, num_frames=16):
    results = AVInit(cache_bytes=cache_bytes)(dict(filename=path))
    for transform in (SampleFrameTimes(num_frames=num_frames, test_mode=True), DecodeFrames(),
                      DecodeAudio()):
        results = transform(results)
    return results


@pytest.mark.parametrize('arguments', [
    dict(audio=tone(440), audio_seconds=1.2),
    dict(audio=tone(440), audio_codec='pcm_s16le', audio_rate=44100, audio_layout='stereo'),
    dict(),
    dict(times=np.cumsum(np.linspace(0.05, 0.3, 20)) + 1, audio=tone(440), audio_start=1.5),
])
def test_the_cache_changes_nothing(tmp_path, arguments):
    path = write_clip(tmp_path / 'clip.mov', num_frames=20, **arguments)
    plain, first, second = load(path, 0), load(path, 10**8), load(path, 10**8)
    assert isinstance(AVInit(cache_bytes=10**8)(dict(filename=path))['video_reader'], CachedVideo)
    for cached in (first, second):
        assert cached.keys() == plain.keys()
        for key, value in plain.items():
            np.testing.assert_array_equal(cached[key], value, err_msg=key)


def test_cached_files_are_not_opened(tmp_path, monkeypatch):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=20, audio=440.)
    load(path, 10**8)
    monkeypatch.setattr(VideoReader, '__init__', None)
    monkeypatch.setattr(AudioReader, '__init__', None)
    load(path, 10**8)


def test_in_place_changes_do_not_reach_the_cache(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=4)
    for _ in range(2):
        images = load(path, 10**8)['imgs']
        for image in images:
            image[:] = 0
    assert all(image.any() for image in load(path, 10**8)['imgs'])


def test_the_bound_holds_and_the_count_is_right(tmp_path):
    paths = [write_clip(tmp_path / f'{i}.mp4', num_frames=20) for i in range(4)]
    bound = 3 * FRAMES - 1
    for _ in range(2):
        for path in paths:
            load(path, bound)
    # first come, first kept
    assert [MEDIA_CACHE.get(MEDIA_CACHE.key(path)) is not None
            for path in paths] == [True, True, False, False]
    assert MEDIA_CACHE.used_bytes == 2 * FRAMES <= bound
    load(paths[2], 3 * FRAMES)
    assert MEDIA_CACHE.used_bytes == 3 * FRAMES


def test_sound_counts(tmp_path):
    path = write_clip(
        tmp_path / 'clip.mov', num_frames=20, audio=440., audio_codec='pcm_s16le')
    size = FRAMES + 4 * 2 * 16000
    load(path, size - 1)
    assert MEDIA_CACHE.used_bytes == 0
    load(path, size)
    assert MEDIA_CACHE.used_bytes == size


def test_a_long_file_is_not_decoded_to_find_that_it_does_not_fit(long_clip, monkeypatch):
    monkeypatch.setattr(AudioReader, 'read_all', None)
    load(long_clip, 10**6)
    assert MEDIA_CACHE.used_bytes == 0


def test_a_changed_file_is_read_again(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=20)
    load(path, 10**8)
    write_clip(path, num_frames=7)
    os.utime(path, (1, 1))
    assert load(path, 10**8)['total_frames'] == 7


def test_arguments_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match="'cv2'"):
        AVInit(backend='cv2')
    with pytest.raises(ValueError, match='-1'):
        AVInit(cache_bytes=-1)
    for cache_bytes in (0, 10**8):
        with pytest.raises(MediaReadError, match=r'nothing\.mp4'):
            AVInit(cache_bytes=cache_bytes)(dict(filename=str(tmp_path / 'nothing.mp4')))
