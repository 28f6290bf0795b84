from types import SimpleNamespace

import numpy as np
import pytest

from avgn_mm.datasets.transforms import SampleFrameTimes
from avgn_mm.frame_order import coarse_to_fine_order


def sample(total, **kwargs):
    reader = SimpleNamespace(times=np.arange(total) / 10 + 2)
    return SampleFrameTimes(**kwargs)(dict(total_frames=total, video_reader=reader))


def test_centres_of_the_bins_in_time_order():
    results = sample(100, num_frames=4, test_mode=True, order='time')
    assert results['frame_inds'].tolist() == [12, 37, 62, 87]
    np.testing.assert_allclose(results['frame_times'], [3.2, 5.7, 8.2, 10.7])


def test_coarse_to_fine():
    in_time = sample(160, num_frames=16, test_mode=True, order='time')
    results = sample(160, num_frames=16, test_mode=True)
    order = coarse_to_fine_order(16)
    assert results['frame_inds'].tolist() == in_time['frame_inds'][order].tolist()
    assert results['frame_inds'][:3].tolist() == [75, 5, 155]
    assert results['frame_inds'].dtype == np.int64 and results['frame_times'].dtype == np.float64


@pytest.mark.parametrize(('total', 'expected'), [
    (1, [0] * 16),
    (3, [0] * 5 + [1] * 6 + [2] * 5),
    (8, [i // 2 for i in range(16)]),
])
def test_short_videos_repeat_frames(total, expected):
    assert sample(
        total, num_frames=16, test_mode=True, order='time')['frame_inds'].tolist() == expected
    assert sample(total, num_frames=16)['frame_inds'].max() <= total - 1


def test_training_draws_from_each_bin():
    np.random.seed(0)
    draws = np.stack([sample(40, num_frames=4, order='time')['frame_inds'] for _ in range(300)])
    for i in range(4):
        assert sorted(set(draws[:, i])) == list(range(10 * i, 10 * i + 10))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match='got 0'):
        SampleFrameTimes(num_frames=0)
    with pytest.raises(ValueError, match="'random'"):
        SampleFrameTimes(num_frames=4, order='random')
