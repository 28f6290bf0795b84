"""A figure of what a model looked at in a few videos (the idea of AVGN's Fig. 6 and 7)."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from mmaction.structures import ActionDataSample

matplotlib.use('Agg')  # draws into files, on machines without a screen too

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

CHOSEN = '#e4572e'
HOP_SECONDS = 0.01  # of the log-mel windows


def draw_glances(inputs: Sequence[dict], samples: Sequence[ActionDataSample],
                 class_names: Sequence[str], filename: str) -> None:
    """Write a picture of :func:`glance_figure`; the ending of its name tells the format."""
    figure = glance_figure(inputs, samples, class_names)
    figure.savefig(filename, dpi=80)
    plt.close(figure)


def glance_image(inputs: dict, sample: ActionDataSample, class_names: Sequence[str]) -> np.ndarray:
    """A video's :func:`glance_figure` as pixels: (H, W, 3) uint8 RGB."""
    figure = glance_figure([inputs], [sample], class_names)
    figure.set_dpi(80)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return image


def glance_figure(inputs: Sequence[dict], samples: Sequence[ActionDataSample],
                  class_names: Sequence[str]) -> Figure:
    """Draw, for each video: frames in time order, saliency, spectrogram.

    Chosen frames have a coloured border, their rank and their patch; where the data sample has
    ``events``, the time that they cover is shaded. What a method does not have is left out.

    Args:
        inputs (Sequence[dict]): A video's packed inputs: ``imgs`` (T, 3, H, W) uint8 and, if the
            method listens, ``audios`` (T, 1, 96, 64), as the test pipeline gives them.
        samples (Sequence[ActionDataSample]): With predictions and ``frame_times``.
        class_names (Sequence[str]): Name of each class index.
    """
    num_frames = len(inputs[0]['imgs'])
    figure = plt.figure(figsize=(1.05 * num_frames, 4.0 * len(samples)), layout='constrained')
    for block, video, sample in zip(figure.subfigures(len(samples), squeeze=False)[:, 0], inputs,
                                    samples):
        _draw_video(block, video, sample, class_names)
    return figure


def _draw_video(figure, video: dict, sample: ActionDataSample, class_names: Sequence[str]
                ) -> None:
    """Draw one video into a subfigure."""
    times = np.asarray(sample.frame_times)
    in_time = times.argsort(kind='stable')
    chosen = sample.get('selected', ())
    chosen = [int(t) for t in chosen]
    rank_of = {t: rank for rank, t in enumerate(chosen)}
    boxes = sample.get('patch_boxes')
    answer = int(sample.pred_label)
    looked_at = f', {len(rank_of)} of {len(times)} frames looked at closely' if chosen else ''
    # A name is no formula, whatever signs it has.
    figure.suptitle(
        f'{_truth(sample, class_names)}: predicted {class_names[answer]} '
        f'({float(sample.pred_score[answer]):.0%}){looked_at}', fontsize=11, parse_math=False)
    grid = figure.add_gridspec(3, len(times), height_ratios=(2, 1.2, 1.2))
    for column, t in enumerate(in_time.tolist()):
        axes = figure.add_subplot(grid[0, column], xticks=[], yticks=[])
        axes.imshow(video['imgs'][t].permute(1, 2, 0).numpy())
        axes.set_title(f'{times[t]:.1f} s', fontsize=8)
        if t in rank_of:
            if boxes is not None:
                left, top, right, bottom = boxes[rank_of[t]].tolist()
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                                         edgecolor=CHOSEN, linewidth=1.5))
            axes.set_xlabel(f'{rank_of[t] + 1}', color=CHOSEN, fontsize=9)
            for spine in axes.spines.values():
                spine.set(edgecolor=CHOSEN, linewidth=2)
    duration = float(sample.get('duration_seconds', times.max()))
    curve = figure.add_subplot(grid[1, :], xlim=(0, duration), ylabel='saliency')
    curve.tick_params(labelbottom=False)
    if sample.get('saliency') is not None:
        saliency = sample.saliency.float().cpu().numpy()
        curve.plot(times[in_time], saliency[in_time], color='black', marker='.', linewidth=1)
        curve.plot(times[chosen], saliency[chosen], 'o', color=CHOSEN)
        curve.set_ylim(min(0, saliency.min()), 1.05 * max(1, saliency.max()))
    else:
        curve.set_yticks([])
    for event in sample.get('events', ()):
        curve.axvspan(event['start_seconds'], event['end_seconds'], color='tab:green', alpha=0.2)
    sound = figure.add_subplot(grid[2, :], ylabel='log-mel', xlabel='seconds (green: true events)',
                               yticks=[])
    if 'audios' in video:
        low, high = video['audios'].min(), video['audios'].max()
        for t, middle in zip(times, window_middles(video['audios'][:, 0].flip(2), duration)):
            half = len(middle) * HOP_SECONDS / 2
            sound.imshow(middle.T.numpy(), aspect='auto', extent=(t - half, t + half, 0, 1),
                         vmin=low, vmax=high, cmap='magma')
    sound.set(xlim=(0, duration), ylim=(0, 1))


def _truth(sample: ActionDataSample, class_names: Sequence[str]) -> str:
    """Names of a video's true classes, which may be one, several as a one-hot vector, or none."""
    label = sample.get('gt_label')
    if label is None:
        return '?'
    indices = label.tolist() if label.numel() == 1 else label.nonzero().flatten().tolist()
    return ', '.join(class_names[i] if i >= 0 else '?' for i in indices)


def window_middles(audios: Sequence, duration_seconds: float) -> list:
    """Each log-mel window's middle, no wider than the distance between frames.

    Args:
        audios (Sequence): (T, windows, bands), a tensor or an array.
        duration_seconds (float): Of the video.
    """
    middle = audios.shape[1] // 2
    half = min(int(duration_seconds / len(audios) / HOP_SECONDS / 2) + 1, middle)
    return [window[middle - half:middle + half] for window in audios]
