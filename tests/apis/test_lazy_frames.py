"""Frames are loaded when they are indexed, and only then."""

import pytest
import torch

from avgn_mm.apis import LazyFrames

T = 4


class Source:
    """Frames whose pixels tell which they are; remembers what it was asked for."""
    num_frames, first = T, 0

    def __init__(self, video):
        self.video = video
        self.asked = []

    def load(self, positions):
        self.asked += positions
        return torch.stack([torch.full((3, 2, 2), 10. * self.video + p) for p in positions])


@pytest.fixture
def sources():
    return [Source(0), Source(1)]


def test_indexing_as_the_recognizers_do(sources):
    imgs = LazyFrames(sources)
    assert len(imgs) == 2
    first = imgs[:, :2]
    assert first.shape == (2, 2, 3, 2, 2) and first[1, 1, 0, 0, 0] == 11
    assert sources[0].asked == sources[1].asked == [0, 1]
    # Pairs of video and frame; one of them is there already.
    some = imgs[torch.tensor([0, 1]), torch.tensor([1, 3])]
    assert some[:, 0, 0, 0].tolist() == [1, 13]
    assert sources[0].asked == [0, 1] and sources[1].asked == [0, 1, 3]
    # Rows of frames for each video, some videos only.
    rows = imgs[torch.tensor([[1]]), torch.tensor([[3, 0]])]
    assert rows[0, :, 0, 0, 0].tolist() == [13, 10]
    assert sources[1].asked == [0, 1, 3]


def test_what_is_asked_before_any_frame(sources):
    imgs = LazyFrames(sources)
    assert imgs.shape == (2, T, 3, 2, 2)
    assert imgs.new_zeros(1).dtype == imgs.dtype == torch.float32
    assert sources[0].asked == [0] and sources[1].asked == []


def test_other_methods_of_tensors_load_everything(sources):
    flat = LazyFrames(sources).flatten(0, 1)
    assert flat[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert sources[0].asked == [0, 1, 2, 3]
