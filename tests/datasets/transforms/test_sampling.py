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


def cheapest(costs, num_frames):
    reader = SimpleNamespace(times=np.arange(len(costs)) / 10, decode_costs=np.asarray(costs))
    transform = SampleFrameTimes(
        num_frames=num_frames, test_mode=True, sampling='cheapest', order='time')
    return transform(dict(total_frames=len(costs), video_reader=reader))['frame_inds'].tolist()


def test_cheapest_frame_of_each_bin():
    # Keyframes at 0, 1, 5 and 7; bins 0..3, 4..7 and 8..11, which has none.
    costs = [1, 1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 5]
    assert cheapest(costs, 3) == [1, 5, 8]  # of 5 and 7 the first of the two nearest the centre 6
    assert cheapest([1] * 12, 3) == [2, 6, 10]  # all alike: the centres
    assert cheapest([1, 2], 4) == [0, 0, 1, 1]


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="'dear'"):
        SampleFrameTimes(num_frames=4, sampling='dear')
    with pytest.raises(ValueError, match='got 0'):
        SampleFrameTimes(num_frames=0)
    with pytest.raises(ValueError, match="'random'"):
        SampleFrameTimes(num_frames=4, order='random')
