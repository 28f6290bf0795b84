"""Predicted and true highlights of a video over time, with frames (AVGN, Figure 6)."""

from collections.abc import Sequence

import matplotlib
import numpy as np

matplotlib.use('Agg')  # draws into files, on machines without a screen too

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import ConnectionPatch  # noqa: E402

from avgn_mm.datasets.transforms.video_reader import VideoReader  # noqa: E402

BEST, WORST, TRUTH = '#2a9d5c', '#c0392b', '#3b6fb6'
# A picture's frames need not be larger than they are drawn.
_MAX_PIXELS = 320


def draw_highlights(video: str, shots: Sequence[dict], filename: str, *,
                    truth: np.ndarray | None = None, title: str = '', num_frames: int = 5) -> None:
    """Write a picture: frames of the best shots, the curves, frames of the worst shots.

    The frames stand in the order of time and are tied to their places in the curve.

    Args:
        video (str): The file.
        shots (Sequence[dict]): ``start``, ``end`` and ``score`` of each shot, as of
            ``HighlightFinder.find``.
        filename (str): Of the picture; its ending tells the format.
        truth (np.ndarray, optional): (n,), what people think of each shot, on a scale of its own;
            for TVSum the mean over the annotators.
        title (str): Above the picture.
        num_frames (int): So many best and worst shots, fewer in a short video.

    Raises:
        ValueError: If ``truth`` has another number of shots.
        MediaReadError: If a frame cannot be read.
    """
    scores = np.array([shot['score'] for shot in shots])
    starts = np.array([shot['start'] for shot in shots])
    middles = (starts + [shot['end'] for shot in shots]) / 2
    if truth is not None and len(truth) != len(scores):
        raise ValueError(f'{video}: {len(truth)} true scores, but {len(scores)} predicted ones')
    num_frames = min(num_frames, len(scores) // 2)
    rows = [(np.sort(spread(np.argsort(sign * scores, kind='stable'), num_frames)), colour)
            for sign, colour in ((-1, BEST), (1, WORST))]

    figure = plt.figure(figsize=(2.2 * max(num_frames, 3), 6), layout='constrained')
    grid = figure.add_gridspec(3, max(num_frames, 1), height_ratios=(1.1, 1.4, 1.1))
    curve = figure.add_subplot(grid[1, :], xlabel='seconds', ylabel='predicted saliency',
                               xlim=(0, shots[-1]['end']))
    lines = curve.plot(middles, scores, color='black', linewidth=1, label='predicted')
    if truth is not None:
        other = curve.twinx()
        other.set_ylabel('true score', color=TRUTH)
        lines += other.plot(middles, truth, color=TRUTH, linewidth=1, alpha=0.8, label='true')
    curve.legend(handles=lines, loc='upper left', fontsize=8)
    reader = VideoReader(video)
    try:
        for row, (chosen, colour) in zip((0, 2), rows):
            curve.plot(middles[chosen], scores[chosen], 'o', color=colour, markersize=4)
            inds = np.searchsorted(reader.times, reader.times[0] + middles[chosen], 'right') - 1
            for column, (shot, index) in enumerate(zip(chosen, inds)):
                image, = reader.get_frames([index])
                step = max(1, max(image.shape) // _MAX_PIXELS)
                axes = figure.add_subplot(grid[row, column], xticks=[], yticks=[])
                axes.imshow(image[::step, ::step])
                axes.set_title(f'{middles[shot]:.0f} s', color=colour, fontsize=9)
                for spine in axes.spines.values():
                    spine.set(edgecolor=colour, linewidth=2)
                line = ConnectionPatch(
                    (0.5, 0 if row == 0 else 1), (middles[shot], scores[shot]),
                    coordsA='axes fraction', coordsB='data', axesA=axes, axesB=curve,
                    color=colour, linewidth=0.8, alpha=0.6)
                line.set_in_layout(False)
                figure.add_artist(line)
    finally:
        reader.close()
    # A name is no formula, whatever signs it has.
    figure.suptitle(title, fontsize=11, parse_math=False)
    figure.savefig(filename, dpi=80)
    plt.close(figure)


def spread(order: np.ndarray, number: int) -> np.ndarray:
    """The first of an order of shots, no two of them neighbours while there are others."""
    chosen: list[int] = []
    for distance in (2, 1):
        for shot in order.tolist():
            if len(chosen) < number and all(abs(shot - other) >= distance for other in chosen):
                chosen.append(shot)
    return np.array(chosen, dtype=np.int64)
