"""Windows share a video out: each slot once, at the right times."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from avgn_mm.datasets import HighlightDataset, SampleWindow
from avgn_mm.datasets.highlight_dataset import count_windows
from avgn_mm.frame_order import coarse_to_fine_order


def reader(times, duration=None):
    times = np.asarray(times, dtype=float)
    return SimpleNamespace(times=times, duration_seconds=duration or times[-1] + 0.1 - times[0])


def windows(layout, number, num_frames=4, **results):
    results = results or dict(video_reader=reader(np.arange(240) / 10))
    sample = SampleWindow(num_frames=num_frames, layout=layout)
    return [sample(dict(results, window=window, num_windows=number)) for window in range(number)]


def test_count_windows():
    assert [count_windows(n, 16) for n in (1, 16, 17, 55, 324)] == [1, 1, 2, 4, 21]
    assert count_windows(55, 16, frames_per_shot=2) == 7


@pytest.mark.parametrize('layout, first', [
    ('interleaved', [1, 7, 13, 19]), ('contiguous', [1, 3, 5, 7])])
def test_windows_share_the_slots_out(layout, first):
    found = windows(layout, 3)
    assert np.sort(found[0]['slot_times']).tolist() == first
    times = np.concatenate([each['slot_times'] for each in found])
    assert sorted(times.tolist()) == [1 + 2 * i for i in range(12)]
    order = coarse_to_fine_order(4)
    assert found[1]['slot_times'].tolist() == np.sort(found[1]['slot_times'])[order].tolist()
    for each in found:
        assert each['frame_inds'].tolist() == np.rint(each['slot_times'] * 10).tolist()
        assert each['frame_times'].tolist() == (each['frame_inds'] / 10).tolist()


def test_the_frame_on_screen_is_taken():
    """A late start, and a frame that stays for 10 s."""
    times = [5.0, 5.5, 6.0, 16.0, 16.5]
    (found, ) = windows('interleaved', 1, video_reader=reader(times, 12.0))
    in_time = np.argsort(found['slot_times'])
    assert found['slot_times'][in_time].tolist() == [1.5, 4.5, 7.5, 10.5]
    assert found['frame_inds'][in_time].tolist() == [2, 2, 2, 2]
    assert found['frame_times'][in_time].tolist() == [6.0] * 4


def test_without_a_window_the_whole_video_is_one():
    found = SampleWindow(num_frames=4)(dict(video_reader=reader(np.arange(80) / 10)))
    assert sorted(found['slot_times'].tolist()) == [1, 3, 5, 7]


@pytest.mark.parametrize('arguments', [dict(num_frames=0), dict(num_frames=4, layout='random')])
def test_refuses(arguments):
    with pytest.raises(ValueError, match='must be'):
        SampleWindow(**arguments)


def write(folder, *videos):
    path = folder / 'highlights.json'
    path.write_text(json.dumps(dict(shot_seconds=2.0, videos=videos)))
    return str(path)


def build(ann_file, **kwargs):
    return HighlightDataset(ann_file, [], num_frames=4, data_prefix=dict(video='v'), **kwargs)


def test_dataset_lists_windows(tmp_path):
    path = write(tmp_path, dict(path='a.mp4', category='VT', scores=[[1] * 9, [2] * 9]),
                 dict(path='b c.mkv', category='BK', scores=[[1, 2], [3, 4]]))
    dataset = build(path)
    assert [(info['filename'], info['window'], info['num_windows']) for info in dataset] == [
        ('v/a.mp4', 0, 3), ('v/a.mp4', 1, 3), ('v/a.mp4', 2, 3), ('v/b c.mkv', 0, 1)]
    assert dataset[3]['annotations'].tolist() == [[1, 2], [3, 4]]
    assert dataset[3]['shot_seconds'] == 2 and dataset[3]['category'] == 'BK'
    assert len(build(path, categories=['BK'])) == 1
    assert len(build(path, frames_per_shot=2)) == 5 + 1


@pytest.mark.parametrize('video, message', [
    (dict(path='a.mp4', category='VT'), r"a.mp4 lacks \['scores'\]"),
    (dict(path='a.mp4', category='VT', scores=[[1], [1, 2]]), r'scored \[1, 2\] shots'),
    (dict(path='a.mp4', category='VT', scores=[]), r'scored \[\] shots')])
def test_malformed_annotations(tmp_path, video, message):
    with pytest.raises(ValueError, match=message):
        build(write(tmp_path, video))


def test_missing_and_empty_annotations(tmp_path):
    with pytest.raises(FileNotFoundError, match='prepare.py writes it'):
        build(str(tmp_path / 'none.json'))
    with pytest.raises(ValueError, match='holds no video'):
        build(write(tmp_path))
    with pytest.raises(ValueError, match='test_mode'):
        build(write(tmp_path), test_mode=False)
    with pytest.raises(ValueError, match='frames_per_shot'):
        build(write(tmp_path), frames_per_shot=0.5)
