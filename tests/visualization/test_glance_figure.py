import cv2
import numpy as np
import torch
from mmaction.structures import ActionDataSample

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.visualization import draw_glances
from avgn_mm.visualization.glance_figure import CHOSEN


def video(num_frames, selected):
    order = coarse_to_fine_order(num_frames)
    sample = ActionDataSample(
        metainfo=dict(frame_times=np.array(order) + 0.5, duration_seconds=float(num_frames),
                      events=[dict(start_seconds=1.0, end_seconds=2.0)]))
    sample.set_gt_label(1).set_pred_label(0).set_pred_score([0.7, 0.3])
    sample.set_field(torch.rand(num_frames), 'saliency')
    sample.set_field(torch.tensor(selected), 'selected')
    sample.set_field(torch.tensor([[4., 8., 20., 24.]] * len(selected)), 'patch_boxes')
    inputs = dict(imgs=torch.zeros(num_frames, 3, 32, 32, dtype=torch.uint8),
                  audios=torch.rand(num_frames, 1, 96, 64))
    return inputs, sample


def test_draws_every_video_and_marks_the_chosen_frames(tmp_path):
    def marked(selected):
        filename = tmp_path / f'{len(selected)}.png'
        inputs, samples = zip(*(video(4, selected) for _ in range(2)))
        draw_glances(inputs, samples, ['left', 'right'], str(filename))
        picture = cv2.imread(str(filename))[..., ::-1]
        colour = [int(CHOSEN[i:i + 2], 16) for i in (1, 3, 5)]
        return picture.shape, (np.abs(picture - np.array(colour)).max(axis=-1) < 8).sum()

    (height, width, _), one = marked([2])
    assert height > width > 300
    assert marked([2, 0, 3])[1] > 2 * one > 0
