"""A figure of what AVGN looked at in a few videos (the idea of AVGN's Fig. 6 and 7)."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from mmaction.structures import ActionDataSample

matplotlib.use('Agg')  # draws into files, on machines without a screen too

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

CHOSEN = '#e4572e'
HOP_SECONDS = 0.01  # of the log-mel windows


def draw_glances(inputs: Sequence[dict], samples: Sequence[ActionDataSample],
                 class_names: Sequence[str], filename: str) -> None:
    """Draw, for each video: frames in time order, saliency, spectrogram.

    Chosen frames have a coloured border, their rank and their patch; where the data sample has
    ``events``, the time that they cover is shaded.

    Args:
        inputs (Sequence[dict]): A video's packed inputs: ``imgs`` (T, 3, H, W) uint8 and
            ``audios`` (T, 1, 96, 64), as the test pipeline gives them.
        samples (Sequence[ActionDataSample]): With predictions and ``frame_times``.
        class_names (Sequence[str]): Name of each class index.
        filename (str): Picture to write; the ending tells the format.
    """
    num_frames = len(inputs[0]['imgs'])
    figure = plt.figure(figsize=(1.05 * num_frames, 4.0 * len(samples)), layout='constrained')
    for block, video, sample in zip(figure.subfigures(len(samples), squeeze=False)[:, 0], inputs,
                                    samples):
        _draw_video(block, video, sample, class_names)
    figure.savefig(filename, dpi=80)
    plt.close(figure)


def _draw_video(figure, video: dict, sample: ActionDataSample, class_names: Sequence[str]
                ) -> None:
    """Draw one video into a subfigure."""
    times = np.asarray(sample.frame_times)
    in_time = times.argsort(kind='stable')
    rank_of = {int(t): rank for rank, t in enumerate(sample.selected)}
    truth = class_names[int(sample.gt_label)] if 'gt_label' in sample else '?'
    answer = int(sample.pred_label)
    figure.suptitle(
        f'{truth}: predicted {class_names[answer]} ({sample.pred_score[answer]:.0%}), '
        f'{len(rank_of)} of {len(times)} frames looked at closely', fontsize=11)
    grid = figure.add_gridspec(3, len(times), height_ratios=(2, 1.2, 1.2))
    for column, t in enumerate(in_time.tolist()):
        axes = figure.add_subplot(grid[0, column], xticks=[], yticks=[])
        axes.imshow(video['imgs'][t].permute(1, 2, 0).numpy())
        axes.set_title(f'{times[t]:.1f} s', fontsize=8)
        if t in rank_of:
            left, top, right, bottom = sample.patch_boxes[rank_of[t]].tolist()
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                                     edgecolor=CHOSEN, linewidth=1.5))
            axes.set_xlabel(f'{rank_of[t] + 1}', color=CHOSEN, fontsize=9)
            for spine in axes.spines.values():
                spine.set(edgecolor=CHOSEN, linewidth=2)
    duration = float(sample.get('duration_seconds', times.max()))
    curve = figure.add_subplot(grid[1, :], xlim=(0, duration), ylim=(0, 1.05), ylabel='saliency')
    curve.tick_params(labelbottom=False)
    saliency = sample.saliency.numpy()
    curve.plot(times[in_time], saliency[in_time], color='black', marker='.', linewidth=1)
    chosen = list(rank_of)
    curve.plot(times[chosen], saliency[chosen], 'o', color=CHOSEN)
    for event in sample.get('events', ()):
        curve.axvspan(event['start_seconds'], event['end_seconds'], color='tab:green', alpha=0.2)
    sound = figure.add_subplot(grid[2, :], xlim=(0, duration), ylabel='log-mel',
                               xlabel='seconds (green: true events)', yticks=[])
    low, high = video['audios'].min(), video['audios'].max()
    for t, window in zip(times, video['audios'][:, 0].flip(2)):
        # Each window's middle, as wide as the distance between frames.
        half = min(int(duration / len(times) / HOP_SECONDS / 2) + 1, len(window) // 2)
        middle = window[len(window) // 2 - half:len(window) // 2 + half].T
        extent = (t - half * HOP_SECONDS, t + half * HOP_SECONDS, 0, 1)
        sound.imshow(middle.numpy(), aspect='auto', extent=extent, vmin=low, vmax=high,
                     cmap='magma')
    sound.set(xlim=(0, duration), ylim=(0, 1))
