from types import SimpleNamespace

import numpy as np
import pytest

from avgn_mm.datasets.transforms import DecodeEventPatches

# From (2, 4) at 1 s to (22, 4) at 2 s, in x and y of 40 x 20 pixels, 4 pixels wide.
EVENT = dict(start_seconds=1.0, end_seconds=2.0, visible=True, box=[0.0, 0.1, 0.1, 0.3],
             box_end=[0.5, 0.1, 0.6, 0.3])


def decode(events=(EVENT, ), frame_inds=(0, 10, 15, 25), **kwargs):
    """Patches of 30 frames at 10 fps whose pixels say (y, x, index)."""
    y, x = np.mgrid[:20, :40]
    reader = SimpleNamespace(
        times=np.arange(30) / 10, close=lambda: None,
        get_frames=lambda inds: [np.stack([y, x, np.full_like(y, i)], axis=2) for i in inds])
    results = DecodeEventPatches(patch_size=6, **kwargs)(dict(
        filename='a.mp4', video_reader=reader, frame_inds=np.array(frame_inds),
        events=list(events)))
    assert results['img_shape'] == (6, 6) and results['original_shape'] == (20, 40)
    assert all(image.shape == (6, 6, 3) for image in results['imgs'])
    corners = np.array([image[0, 0] for image in results['imgs']])  # y, x, index
    assert corners[:, 2].tolist() == results['frame_inds'].tolist()
    np.testing.assert_allclose(results['frame_times'], results['frame_inds'] / 10)
    return corners


def test_at_test_all_frames_are_seen_at_the_nearest_event():
    # Centres x = 2, 2, 12, 22: held at both ends, and cut off at the frame's edge.
    assert decode(test_mode=True).tolist() == [[1, 0, 0], [1, 0, 10], [1, 9, 15], [1, 19, 25]]
    late = {**EVENT, 'start_seconds': 2.4, 'end_seconds': 2.9, 'box': [0.8, 0.6, 1.0, 1.0],
            'box_end': [0.8, 0.6, 1.0, 1.0]}
    assert decode((EVENT, late), test_mode=True)[-1].tolist() == [13, 33, 25]


def test_in_training_a_share_of_the_frames_shows_an_event():
    np.random.seed(0)
    corners = np.concatenate([decode(share=0.75) for _ in range(300)])
    assert {*corners[:, 2]} == {0, 25, *range(10, 20)}  # half-open: 2.0 s is over
    at_event = [np.clip(2 * i - 21, 0, 34) for i in corners[:, 2]]
    right = (corners[:, 1] == at_event) & (corners[:, 0] == 1)
    assert 0.7 < right.mean() < 0.8
    assert {*corners[~right][:, 0]} == {*range(15)} and corners[~right][:, 1].max() == 34


def test_jitter():
    np.random.seed(0)
    corners = np.concatenate([decode(share=1, jitter=2) for _ in range(100)])
    late = corners[corners[:, 2] == 19]
    assert {*late[:, 1]} == {15, 16, 17, 18, 19} and {*late[:, 0]} == {0, 1, 2, 3}


@pytest.mark.parametrize('events', [(), ({**EVENT, 'visible': False}, ),
                                    ({**EVENT, 'start_seconds': 1.51, 'end_seconds': 1.59}, )])
def test_without_an_event_to_be_seen_frames_stay(events):
    assert decode(events, share=1)[:, 2].tolist() == [0, 10, 15, 25]


def test_bad_values():
    with pytest.raises(ValueError, match='share must be from 0 to 1, got 2'):
        DecodeEventPatches(patch_size=6, share=2)
    with pytest.raises(ValueError, match='patch_size must be positive'):
        DecodeEventPatches(patch_size=0)
    with pytest.raises(ValueError, match='a.mp4: frames of 40x20 are smaller than patch_size=21'):
        transform = DecodeEventPatches(patch_size=21)
        reader = SimpleNamespace(times=np.arange(3) / 10, close=lambda: None,
                                 get_frames=lambda inds: [np.zeros((20, 40, 3), np.uint8)])
        transform(dict(filename='a.mp4', video_reader=reader, frame_inds=[0], events=[]))
