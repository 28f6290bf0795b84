"""Every config trains, validates, saves and tests one step on real files, in a fresh process."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avgn_mm.datasets.glancebench import SPECS, generate
from tests.media import write_clip

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob('configs/*/*.py')
                 if not p.parent.name.startswith('_'))
SPLITS = ('train', 'val', 'test')


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """A folder with two short videos, one without sound, and a list."""
    folder = tmp_path_factory.mktemp('videos')
    write_clip(folder / 'v_a.mp4', audio=440.0)
    write_clip(folder / 'v_b.mp4')
    for split in SPLITS:
        (folder / f'{split}.txt').write_text('v_a.mp4 1\nv_b.mp4 3\n')
    return folder


@pytest.fixture(scope='module')
def glancebench(tmp_path_factory):
    """The smallest GlanceBench."""
    folder = tmp_path_factory.mktemp('glancebench')
    spec = dataclasses.replace(SPECS['mini'], num_train=2, num_val=2, num_test=2)
    generate(spec, str(folder), seed=0, workers=1)
    return folder


def data_options(config, videos, glancebench):
    """What a user overrides to point a config at a folder, and at a small machine."""
    folder = glancebench if 'glancebench' in config else videos
    options = {}
    for split in SPLITS:
        loader = f'{split}_dataloader'
        options |= {
            f'{loader}.dataset.ann_file': folder / f'{split}.txt',
            f'{loader}.dataset.data_prefix.video': folder,
            f'{loader}.batch_size': 2 if 'mini' in config else 1,
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
        }
        if 'glancebench' in config:
            options[f'{loader}.dataset.event_file'] = folder / f'{split}_events.json'
    return options


def run(tool, config, *arguments, **options):
    """Run a tool with ``--cfg-options``; returns its log."""
    pairs = [f'{key}={value}' for key, value in options.items()]
    done = subprocess.run(
        [sys.executable, f'tools/{tool}.py', config, *map(str, arguments), '--cfg-options', *pairs],
        cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


@pytest.mark.parametrize('config', CONFIGS)
def test_trains_and_tests(config, videos, glancebench, tmp_path):
    options = data_options(config, videos, glancebench)
    if 'mn2_r50' in config:
        # The published weights need a network.
        options |= {'model.backbone.init_cfg': None, 'model.audio_backbone.init_cfg': None,
                    'model.local_backbone.pretrained': None}
    log = run('train', config, '--work-dir', tmp_path, **options,
              **{'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1})
    assert 'loss' in log and 'Epoch(val) [1]' in log
    assert 'Failed to search registry' not in log and 'is not installed' not in log
    log = run('test', config, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path, **options)
    assert 'Epoch(test)' in log and 'acc/' in log
