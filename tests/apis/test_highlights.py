"""The best moments are found, in bounded memory, and cut as said."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from avgn_mm.apis import HighlightFinder, cut_clip
from avgn_mm.apis.highlights import best_spans
from avgn_mm.datasets.transforms import MediaReadError
from avgn_mm.datasets.transforms.audio_reader import AudioReader
from avgn_mm.datasets.transforms.video_reader import VideoReader
from tests.highlight_set import bright_is_salient, write_config, write_long_clip
from tests.media import read_code, tone, write_clip


@pytest.fixture(scope='module')
def finder(tmp_path_factory):
    config, weights = write_config(tmp_path_factory.mktemp('finder'))
    return bright_is_salient(HighlightFinder(config, weights, device='cpu', show_progress=False))


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """70.5 s, bright from 20 to 24 and, a little less, from 50 to 52 s."""
    def image(i):
        value = {**dict.fromkeys(range(40, 48), 240), **dict.fromkeys(range(100, 104), 180)}
        return np.full((48, 64, 3), value.get(i, 20), dtype=np.uint8)

    return write_long_clip(tmp_path_factory.mktemp('clip') / 'clip.mp4', 70.5, image=image)


@pytest.mark.parametrize('layout', ['interleaved', 'contiguous'])
def test_finds_the_moments(finder, clip, layout):
    budget = dict(finder.model.test_cfg)
    found = finder.find(clip, 2, layout=layout)
    assert found.error is None and found.duration_seconds == 70.5
    assert [(m['start'], m['end']) for m in found.moments][0] == (20, 24)
    second = found.moments[1]
    assert second['end'] - second['start'] == 4 and second['start'] in (48, 50)
    # The last shot lasts to the end.
    assert len(found.shots) == 35 and found.shots[-1]['end'] == 70.5
    bright = [shot['start'] for shot in found.shots if shot['score'] > 1]
    assert bright == [20, 22]
    # 5 windows of 8 frames.
    assert found.frames_decoded == 40 and found.gmacs > 0
    assert dict(finder.model.test_cfg) == budget
    assert found.to_dict()['moments'] == found.moments


def test_more_frames_a_shot_and_other_lengths(finder, clip):
    found = finder.find(clip, 1, shot_seconds=1, moment_seconds=2, frames_per_shot=1.5)
    assert len(found.shots) == 70 and found.frames_decoded == 8 * 14
    assert 20 <= found.moments[0]['start'] <= 22


def test_short_video_is_one_moment(finder, tmp_path):
    found = finder.find(write_clip(tmp_path / 'a.mp4', num_frames=5), 3)
    assert [(m['start'], m['end']) for m in found.moments] == [(0, 0.5)]


def test_what_cannot_be_found(finder, clip, tmp_path):
    (tmp_path / 'broken.mp4').write_text('no video')
    assert 'cannot open' in finder.find(tmp_path / 'broken.mp4', 1).error
    assert 'no such file' in finder.find(tmp_path / 'none.mp4', 1).error
    with pytest.raises(ValueError, match='number >= 1'):
        finder.find(clip, 0)
    config, _ = write_config(tmp_path)
    blind = Config.fromfile(config)
    blind.model.temporal_glance = None
    with pytest.raises(ValueError, match='AVGN gives no saliency'):
        HighlightFinder(blind, device='cpu').find(clip, 1)


def test_best_spans():
    scores = np.array([0, 5, 4, 0, 0, 3, 3, 0])
    assert best_spans(scores, 2, 2) == [(1, 3), (5, 7)]
    assert best_spans(scores, 9, 3) == [(0, 3), (4, 7)]
    assert best_spans(scores, 1, 99) == [(0, 8)]
    assert best_spans(np.full(5, 0.1), 2, 2) == [(0, 2), (2, 4)]


def peak_memory(call) -> float:
    """Greatest MiB of memory of this process while something is called."""
    Path('/proc/self/clear_refs').write_text('5')
    call()
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != 'linux', reason='the peak is read from /proc')
def test_memory_does_not_grow_with_the_video(finder, tmp_path):
    clips = [write_long_clip(tmp_path / f'{minutes}.mkv', 60 * minutes) for minutes in (2, 10)]
    finder.find(clips[0], 1)  # what is allocated once
    two, ten = (peak_memory(lambda each=each: finder.find(each, 1)) for each in clips)
    assert ten < 1.1 * two and ten - two < 20


@pytest.mark.parametrize('name, options', [
    ('a.mp4', dict(video_options=dict(g='50', bf='2'))),
    ('b.mkv', dict(video_options=dict(g='50', bf='2'), audio_codec='pcm_s16le')),
    ('c.ts', dict(video_options=dict(g='50'), audio_layout='stereo', audio_rate=48000)),
    ('d.avi', dict(video_codec='mpeg4', video_options=dict(g='50'), audio_codec='mp2',
                   audio_rate=44100)),
    ('e.mp4', dict(video_options=dict(g='50'), audio=None)),
    ('f.mp4', dict(video_options=dict(g='50'), rotation=90))])
def test_cut(tmp_path, name, options):
    """From 6.23 to 10 s of a clip with a keyframe every 5 s and a tone up to 9 s."""
    source = write_clip(tmp_path / name, num_frames=120, **{'audio': tone(end=9), **options})
    shape = VideoReader(source).get_frames([0])[0].shape
    out = tmp_path / 'cut/exact.mp4'
    assert cut_clip(source, 6.23, 10, out) == pytest.approx((6.23, 10), abs=0.11)
    reader = VideoReader(str(out))
    # The frame of 6.2 s is on screen from the start on.
    assert reader.times[:2] == pytest.approx([0, 0.07], abs=0.04) and len(reader.times) == 38
    images = reader.get_frames([0, 1, 37])
    assert images[0].shape == shape
    if 'rotation' not in options:
        assert [read_code(image) for image in images] == [62, 63, 99]
    assert reader.has_audio == ('audio' not in options)
    if reader.has_audio:
        start, sound = AudioReader(str(out)).read_all()
        loud = start + np.flatnonzero(np.abs(sound) > 0.2)
        assert loud[[0, -1]] / 16000 == pytest.approx([0, 2.77], abs=0.05)

    out = tmp_path / ('cut/copy' + ('.mp4' if name.endswith('mp4') else '.mkv'))
    start, end = cut_clip(source, 6.23, 10, out, copy=True)
    assert start in (pytest.approx(5), pytest.approx(6, abs=0.1)) and end == pytest.approx(10)
    reader = VideoReader(str(out))
    images = reader.get_frames([0, 1, len(reader.times) - 1])
    assert images[0].shape == shape
    if 'rotation' not in options:
        first = round(10 * start)
        assert [read_code(image) for image in images] == [first, first + 1, 99]
    assert reader.has_audio == ('audio' not in options)
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([out.name, 'exact.mp4'])


def test_cut_refuses(tmp_path):
    source = write_clip(tmp_path / 'a.mp4', num_frames=20)
    for start, end in ((1, 1), (-1, 1)):
        with pytest.raises(ValueError, match='0 <= start < end'):
            cut_clip(source, start, end, tmp_path / 'b.mp4')
    with pytest.raises(ValueError, match='is written as .mp4'):
        cut_clip(source, 0, 1, tmp_path / 'b.avi')
    with pytest.raises(MediaReadError, match='no.*file|cannot open'):
        cut_clip(tmp_path / 'none.mp4', 0, 1, tmp_path / 'b.mp4')
    for copy in (False, True):
        with pytest.raises(MediaReadError, match='no frame from 5.000'):
            cut_clip(source, 5, 6, tmp_path / 'b.mp4', copy=copy)
    assert [path.name for path in tmp_path.iterdir()] == ['a.mp4']
