"""The visualizer writes to MMEngine's backends, and its hook draws while validating."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from mmengine.registry import DefaultScope

from avgn_mm.engine.launch import build_runner
from avgn_mm.registry import HOOKS, VISUALIZERS
from avgn_mm.visualization import glance_image, glance_visualizer
from avgn_mm.visualization.glance_figure import CHOSEN
from tests.test_configs import ROOT
from tests.tiny_set import data_options


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


def video(**fields):
    sample = ActionDataSample(
        metainfo=dict(frame_times=np.array([1.5, 0.5]), duration_seconds=2.0))
    sample.set_pred_label(1).set_pred_score(torch.tensor([0.2, 0.8]))
    for name, value in fields.items():
        sample.set_field(value, name)
    inputs = dict(imgs=torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
                  audios=torch.rand(2, 1, 96, 64))
    return inputs, sample


def marked(picture):
    colour = np.array([int(CHOSEN[i:i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(picture - colour).max(axis=-1) < 8).sum())


def build(folder, *backends):
    return VISUALIZERS.build(dict(
        type='GlanceVisualizer', name=str(folder), save_dir=str(folder),
        vis_backends=[dict(type=name) for name in backends]))


def test_local_backend(tmp_path):
    visualizer = build(tmp_path, 'LocalVisBackend')
    visualizer.dataset_meta = dict(classes=['a $_name', '<left>'])  # no formulas
    inputs, sample = video(saliency=torch.tensor([0.3, 0.9]), selected=torch.tensor([1]),
                           patch_boxes=torch.tensor([[4., 4., 20., 20.]]),
                           gt_label=torch.tensor([0]))
    picture = visualizer.add_datasample('a', inputs, sample, step=3)
    (file, ) = tmp_path.rglob('*.png')
    assert file.name == 'a_3.png'
    np.testing.assert_array_equal(cv2.imread(str(file))[..., ::-1], picture)
    assert marked(picture) > 100


@pytest.mark.parametrize('fields', [
    dict(),  # uniform sampling
    dict(selected=torch.tensor([1]), gt_label=torch.tensor([-1])),  # no patches, no truth
    dict(saliency=torch.tensor([-3.0, 7.0]), gt_label=torch.tensor([1.0, 1.0])),  # two truths
])
def test_what_a_method_lacks_is_left_out(tmp_path, fields):
    inputs, sample = video(**fields)
    picture = build(tmp_path).add_datasample('a', inputs['imgs'], sample)
    assert (marked(picture) > 0) == ('selected' in fields)


def test_tensorboard_backend(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    visualizer = build(tmp_path, 'TensorboardVisBackend')
    picture = visualizer.add_datasample('a', *video(), step=5)
    visualizer.close()
    (file, ) = tmp_path.rglob('events.out.*')
    events = EventAccumulator(str(file), size_guidance=dict(images=0)).Reload()
    (event, ) = events.Images('a')
    assert event.step == 5 and (event.height, event.width) == picture.shape[:2]


def test_wrong_inputs(tmp_path):
    inputs, sample = video()
    with pytest.raises(ValueError, match=r'frames \(T, 3, H, W\), got \(1, 3, 2, 8, 8\)'):
        build(tmp_path).add_datasample('a', torch.zeros(1, 3, 2, 8, 8), sample)
    with pytest.raises(ValueError, match='a has no frame_times'):
        build(tmp_path).add_datasample('a', inputs, ActionDataSample())


class Videos(list):
    metainfo = dict(classes=['left', 'right'])


def drawn(hook, num_videos, batch_size):
    """What the hook draws in one validation."""
    names = []
    visualizer = SimpleNamespace(add_datasample=lambda name, *args, **kwargs: names.append(name))
    runner = SimpleNamespace(
        val_dataloader=SimpleNamespace(dataset=Videos(range(num_videos))), visualizer=visualizer,
        epoch=1, log_processor=SimpleNamespace(by_epoch=True))
    hook.before_val_epoch(runner)
    for batch, first in enumerate(range(0, num_videos, batch_size)):
        size = min(batch_size, num_videos - first)
        samples = [ActionDataSample(metainfo=dict(filename=f'x/{first + i}.mp4'))
                   for i in range(size)]
        inputs = dict(imgs=[torch.zeros(1)] * size, audios=[torch.zeros(1)] * size)
        hook.after_val_iter(runner, batch, dict(inputs=inputs), samples)
    return names


def test_hook_spreads_over_the_set():
    hook = HOOKS.build(dict(type='GlanceVisualizationHook', num_videos=3, interval=2))
    assert drawn(hook, 9, 4) == ['val0_0', 'val4_4', 'val8_8']
    assert drawn(hook, 9, 4) == []
    assert drawn(hook, 2, 4) == ['val0_0', 'val1_1']
    with pytest.raises(ValueError, match='at least 1, got 0 and 1'):
        HOOKS.build(dict(type='GlanceVisualizationHook', num_videos=0))


def test_validation_draws(glancebench, tmp_path, monkeypatch):
    """With the options that docs/inference.md shows."""
    named = []

    def recorded(inputs, sample, names):
        named.append(names)
        return glance_image(inputs, sample, names)

    monkeypatch.setattr(glance_visualizer, 'glance_image', recorded)
    name = 'configs/avgn/avgn_glancebench-mini.py'
    classes = str(glancebench / 'classes.txt')
    cfg = Config.fromfile(ROOT / name)
    cfg.merge_from_dict({
        **data_options(name, None, glancebench), 'work_dir': str(tmp_path), 'launcher': 'none',
        'log_level': 'ERROR', 'visualizer.type': 'GlanceVisualizer',
        'default_hooks.glances.type': 'GlanceVisualizationHook',
        'val_dataloader.dataset.metainfo.classes': classes,
        # MMEngine looks for the best checkpoint only while it trains.
        'default_hooks.checkpoint.save_best': None})
    runner = build_runner(cfg)
    runner.val()
    assert named == [Path(classes).read_text().splitlines()] * 2
    files = sorted(tmp_path.rglob('vis_image/*.png'))
    assert [file.name[:5] for file in files] == ['val0_', 'val1_']
    assert all(marked(cv2.imread(str(file))[..., ::-1]) > 100 for file in files)


def test_hook_names_what_is_missing():
    hook = HOOKS.build(dict(type='GlanceVisualizationHook'))
    with pytest.raises(TypeError, match='GlanceVisualizer.*got ActionVisualizer'):
        hook.before_run(SimpleNamespace(visualizer=ActionVisualizer(name='plain')))
