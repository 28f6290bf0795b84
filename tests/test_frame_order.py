"""The coarse-to-fine order of section 4.1."""

import pytest

from avgn_mm.frame_order import coarse_to_fine_order


@pytest.mark.parametrize('num_frames, order', [
    (1, [0]),
    (2, [0, 1]),
    (3, [1, 0, 2]),
    (4, [1, 0, 3, 2]),
    (8, [3, 0, 7, 1, 5, 2, 4, 6]),
    (10, [4, 0, 9, 2, 6, 1, 3, 5, 7, 8]),
    # AdaFocusV2's public order.
    (16, [7, 0, 15, 3, 11, 1, 5, 9, 13, 2, 4, 6, 8, 10, 12, 14]),
])
def test_pinned_orders(num_frames, order):
    assert coarse_to_fine_order(num_frames) == order


@pytest.mark.parametrize('num_frames', range(1, 65))
def test_every_frame_comes_once(num_frames):
    order = coarse_to_fine_order(num_frames)
    assert sorted(order) == list(range(num_frames))
    assert all(type(index) is int for index in order)


@pytest.mark.parametrize('num_frames', [16, 32, 64])
def test_first_frames_spread_over_the_video(num_frames):
    """After 1 + 2^n frames no gap is longer than twice what an even spread would leave."""
    order = coarse_to_fine_order(num_frames)
    for parts in (2, 4, 8):
        seen = sorted(order[:parts + 1])
        assert (seen[0], seen[-1]) == (0, num_frames - 1)
        assert max(b - a for a, b in zip(seen, seen[1:])) <= 2 * num_frames / parts


@pytest.mark.parametrize('num_frames', [0, -3])
def test_too_few_frames(num_frames):
    with pytest.raises(ValueError, match=f'at least 1, got {num_frames}'):
        coarse_to_fine_order(num_frames)
