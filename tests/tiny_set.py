"""Small sets of files: how to point a config at them, and one with a tiny AVGN of its own."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from avgn_mm.registry import MODELS
from tests.media import tone, write_clip
from tests.tiny import IMAGE_SIZE, NUM_CLASSES, NUM_FRAMES, avgn_config

PREPROCESSOR = dict(
    type='MultiModalDataPreprocessor',
    preprocessors=dict(
        imgs=dict(type='ActionDataPreprocessor', mean=[128] * 3, std=[60] * 3,
                  format_shape='NCHW'),
        audios=dict(type='ActionDataPreprocessor', format_shape='NCHW')))
SPLITS = ('train', 'val', 'test')


def data_options(config, videos, glancebench):
    """What a user overrides to point a config at a folder, and at a small machine."""
    folder = glancebench if 'glancebench' in config else videos
    options = {}
    for split in SPLITS:
        loader = f'{split}_dataloader'
        options |= {
            f'{loader}.dataset.ann_file': str(folder / f'{split}.txt'),
            f'{loader}.dataset.data_prefix.video': str(folder),
            f'{loader}.batch_size': 2 if 'mini' in config else 1,
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
        }
        if 'glancebench' in config:
            options[f'{loader}.dataset.event_file'] = str(folder / f'{split}_events.json')
    return options


def write_tiny_set(folder: Path, num_videos: int = 10) -> tuple[str, str]:
    """Write training and test clips, ``config.py`` and ``random.pth``.

    Returns:
        tuple[str, str]: Paths of config and checkpoint. Accuracy is mAP, which the order of the
        videos' scores moves even where all are classified alike.
    """
    pipeline = [
        dict(type='AVInit'),
        dict(type='SampleFrameTimes', num_frames=NUM_FRAMES, test_mode=True),
        dict(type='DecodeFrames'),
        dict(type='CenterCrop', crop_size=IMAGE_SIZE),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='DecodeAudio'),
        dict(type='LogMel'),
        dict(type='PackActionInputs', collect_keys=('imgs', 'audios'))]
    loaders = {}
    for split, seed in (('train', 1), ('test', 2)):
        rng = np.random.default_rng(seed)
        lines = []
        for i in range(num_videos):
            images = rng.integers(256, size=(20, 6, 8, 3), dtype=np.uint8)
            write_clip(folder / f'{split}{i}.mp4', audio=tone(rng.uniform(200, 2000)), fps=5,
                       image=lambda t, images=images: images[t].repeat(8, 0).repeat(8, 1))
            lines.append(f'{split}{i}.mp4 {i % NUM_CLASSES}')
        (folder / f'{split}.txt').write_text('\n'.join(lines))
        loaders[f'{split}_dataloader'] = dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
            dataset=dict(
                type='AudioVisualDataset', ann_file=str(folder / f'{split}.txt'),
                data_prefix=dict(video=str(folder)), multi_class=True, num_classes=NUM_CLASSES,
                # Training's own pipeline must not be the one that is used.
                pipeline=pipeline if split == 'test' else [dict(type='AVInit')],
                test_mode=split == 'test'))
    config = Config(dict(
        default_scope='avgn_mm', model=avgn_config(data_preprocessor=PREPROCESSOR), **loaders,
        test_evaluator=[dict(type='AccMetric', metric_list=('mean_average_precision', )),
                        dict(type='CostMetric')],
        test_cfg=dict(type='TestLoop'), log_level='ERROR',
        # MMEngine wants all of training or nothing of it.
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1))))
    config.dump(str(folder / 'config.py'))

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        model = MODELS.build(config.model)
    with torch.no_grad():  # without it, random networks say nearly the same of every video
        for parameter in model.parameters():
            parameter.mul_(2.0)
    torch.save(dict(state_dict=model.state_dict()), folder / 'random.pth')
    return str(folder / 'config.py'), str(folder / 'random.pth')
