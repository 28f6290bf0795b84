"""The picture of predicted and true highlights."""

import numpy as np
import pytest
from PIL import Image

from avgn_mm.visualization import draw_highlights
from avgn_mm.visualization.highlight_figure import spread
from tests.highlight_set import write_long_clip


def shots(scores):
    return [dict(start=2 * i, end=2 * i + 2, score=score) for i, score in enumerate(scores)]


@pytest.mark.parametrize('num_shots, truth', [(20, True), (20, False), (1, False)])
def test_draws(tmp_path, num_shots, truth):
    clip = write_long_clip(tmp_path / 'a.mp4', 2 * num_shots)
    scores = np.random.default_rng(0).random(num_shots)
    draw_highlights(clip, shots(scores), str(tmp_path / 'a.png'),
                    truth=5 * scores if truth else None, title='100 $ and 5 %: $x')
    with Image.open(tmp_path / 'a.png') as picture:
        colours = np.asarray(picture.convert('RGB')).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 20
    blue = colours[:, 2] > colours[:, 0].astype(int) + 80
    assert blue.any() == truth  # the true curve


def test_refuses_another_truth(tmp_path):
    with pytest.raises(ValueError, match='3 true scores, but 2 predicted'):
        draw_highlights('a.mp4', shots([1, 2]), 'a.png', truth=np.zeros(3))


def test_spread_avoids_neighbours():
    assert spread(np.array([4, 5, 3, 1, 0, 2]), 3).tolist() == [4, 1, 5]
    assert spread(np.array([4, 5, 0, 7]), 3).tolist() == [4, 0, 7]
