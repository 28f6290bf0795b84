"""Whole pipelines, from a video file to what the model is given."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope

from avgn_mm.registry import MODELS, TRANSFORMS
from tests.media import read_code, write_clip

VIDEOS = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'videos'
META = ('filename', 'frame_times', 'frame_inds', 'duration_seconds', 'has_audio', 'img_shape',
        'original_shape', 'crop_quadruple')


def pipeline(train, *, num_frames=16, size=224):
    between = [
        dict(type='MultiScaleCrop', input_size=size, scales=(1, 0.875, 0.75, 0.66)),
        dict(type='Resize', scale=(size, size), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
    ] if train else [dict(type='CenterCrop', crop_size=size)]
    steps = [
        dict(type='AVInit'),
        dict(type='SampleFrameTimes', num_frames=num_frames, test_mode=not train),
        dict(type='DecodeFrames'),
        dict(type='Resize', scale=(size * 8 // 7, size * 8 // 7), keep_ratio=False),
        *between,
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='DecodeAudio'),
        dict(type='LogMel'),
        *([dict(type='MaskSpectrogram')] if train else []),
        dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=META),
    ]
    return Compose([TRANSFORMS.build(step) for step in steps])


SOUNDS = {
    'none': dict(),
    'shorter': dict(audio=440., audio_seconds=0.4),
    'longer': dict(audio=440., audio_seconds=3.0),
    'late': dict(audio=440., audio_start=0.2),
    'stereo_44100': dict(audio=440., audio_layout='stereo', audio_rate=44100),
    'surround_48000': dict(audio=440., audio_layout='5.1', audio_rate=48000),
    'mono_8000': dict(audio=440., audio_rate=8000),
}


@pytest.mark.parametrize('num_frames', [1, 3, 8])
@pytest.mark.parametrize('sound', SOUNDS)
def test_short_clips(tmp_path, num_frames, sound):
    path = write_clip(
        tmp_path / 'clip.mp4', num_frames=num_frames, **{'audio_seconds': 1.0} | SOUNDS[sound])
    for train in (False, True):
        sample = pipeline(train, size=56)(dict(filename=path, label=3))
        images, audios = sample['inputs']['imgs'], sample['inputs']['audios']
        assert images.shape == (16, 3, 56, 56) and images.dtype == torch.uint8
        assert audios.shape == (16, 1, 96, 64) and audios.dtype == torch.float32
        assert torch.isfinite(audios).all()
        meta = sample['data_samples'].metainfo
        assert meta['has_audio'] is (sound != 'none')
        assert (audios.max() > 0) == (sound != 'none')
        assert meta['frame_times'].shape == (16, )
        assert sample['data_samples'].gt_label.tolist() == [3]
    assert meta['duration_seconds'] == pytest.approx(num_frames / 10)


def test_frames_and_spectrograms_of_a_sample_belong_together(tmp_path):
    # the pitch rises with time, as the frames' codes do
    path = write_clip(
        tmp_path / 'clip.mp4',
        num_frames=100,
        audio=lambda seconds: 0.3 * np.sin(2 * np.pi * (300 + 200 * seconds) * seconds))
    sample = pipeline(False, num_frames=8)(dict(filename=path, label=0))
    inds = sample['data_samples'].frame_inds
    assert inds.tolist() == [43, 6, 93, 18, 68, 31, 56, 81]
    images = sample['inputs']['imgs'].permute(0, 2, 3, 1).numpy()
    # undo the crop, of which the code's tiles do not know
    whole = [np.pad(image, ((16, 16), (16, 16), (0, 0)), mode='edge') for image in images]
    assert [read_code(image) for image in whole] == inds.tolist()
    pitch = sample['inputs']['audios'][:, 0, 48].argmax(dim=1).numpy()
    assert (np.argsort(pitch) == np.argsort(inds)).all()


def test_workers_draw_differently_and_repeatably(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', num_frames=60, audio=440.)
    draws = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        random.seed(seed)
        draws.append(pipeline(True, size=56)(dict(filename=path, label=0))['inputs'])
    assert torch.equal(draws[0]['audios'], draws[1]['audios'])
    assert torch.equal(draws[0]['imgs'], draws[1]['imgs'])
    assert not torch.equal(draws[0]['imgs'], draws[2]['imgs'])


@pytest.mark.parametrize('train', [False, True])
def test_real_clips(train):
    if not VIDEOS.is_dir():
        pytest.skip(f'no real clips at {VIDEOS}')
    paths = sorted(path for path in VIDEOS.iterdir() if path.suffix in ('.mp4', '.avi', '.mkv'))
    steps = pipeline(train)
    samples = [steps(dict(filename=str(path), label=0)) for path in paths]
    with_sound = {'decord_flipping_a_pancake.mkv', 'mmaction2_test.avi'}
    for path, sample in zip(paths, samples):
        meta = sample['data_samples'].metainfo
        assert meta['has_audio'] is (path.name in with_sound)
        assert (np.diff(np.sort(meta['frame_times'])) > 0).all()
        assert (sample['inputs']['audios'] > 0).any() == (path.name in with_sound)
        assert sample['inputs']['imgs'].float().std() > 10

    with DefaultScope.overwrite_default_scope('avgn_mm'):
        preprocessor = MODELS.build(
            dict(
                type='MultiModalDataPreprocessor',
                preprocessors=dict(
                    imgs=dict(type='ActionDataPreprocessor', format_shape='NCHW'),
                    audios=dict(type='ActionDataPreprocessor', format_shape='NCHW'))))
    batch = preprocessor(pseudo_collate(samples), training=train)
    assert batch['inputs']['imgs'].shape == (len(paths), 16, 3, 224, 224)
    assert batch['inputs']['audios'].shape == (len(paths), 16, 1, 96, 64)
