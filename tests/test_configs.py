"""Every config trains, validates, saves and tests one step on real files, in a fresh process."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest

from avgn_mm.datasets.glancebench import SPECS, generate
from tests.media import write_clip

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob('configs/*/*.py')
                 if not p.parent.name.startswith('_'))
SPLITS = ('train', 'val', 'test')
BIN = Path(sys.executable).parent
REAL_CLIPS = sorted(p for p in (ROOT.parent / 'shared/data/videos').glob('*')
                    if p.suffix in ('.avi', '.mkv', '.mp4'))
# The published weights need a network.
NO_WEIGHTS = {'model.backbone.init_cfg': None, 'model.audio_backbone.init_cfg': None,
              'model.local_backbone.pretrained': None}
ONE_EPOCH = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}


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


def run_command(command, options):
    """Run a command with ``--cfg-options`` from the checkout's root; returns what it printed."""
    pairs = [f'{key}={value}' for key, value in options.items()]
    done = subprocess.run(
        [*map(str, command), '--cfg-options', *pairs], cwd=ROOT, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PATH': f'{BIN}:{os.environ["PATH"]}'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def run(tool, *arguments, **options):
    """Run a tool of Python with ``--cfg-options``."""
    return run_command([sys.executable, tool, *arguments], options)


@pytest.mark.parametrize('config', CONFIGS)
def test_trains_and_tests(config, videos, glancebench, tmp_path):
    options = data_options(config, videos, glancebench)
    if 'mn2_r50' in config:
        options |= NO_WEIGHTS
    log = run('tools/train.py', config, '--work-dir', tmp_path, **options, **ONE_EPOCH)
    assert 'loss' in log and 'Epoch(val) [1]' in log
    assert 'Failed to search registry' not in log and 'is not installed' not in log
    log = run('tools/test.py', config, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path, **options)
    assert 'Epoch(test)' in log and 'acc/' in log


def test_mmaction2s_own_train_py(videos, glancebench, tmp_path):
    """The tool inside MMAction2's wheel knows nothing of this package but the config's scope."""
    config = 'configs/avgn/avgn_mn2_r50_anet.py'
    stock = Path(mmaction.__file__).parent / '.mim/tools/train.py'
    log = run(stock, config, '--work-dir', tmp_path,
              **data_options(config, videos, glancebench), **NO_WEIGHTS, **ONE_EPOCH)
    assert 'loss_saliency' in log and (tmp_path / 'epoch_1.pth').exists()


def test_two_cpu_processes(videos, glancebench, tmp_path):
    config = 'configs/avgn/avgn_glancebench-mini.py'
    options = {**data_options(config, videos, glancebench), 'train_dataloader.batch_size': 1}
    log = run_command(['bash', 'tools/dist_train.sh', config, '2', '--work-dir', tmp_path],
                      options | ONE_EPOCH)
    assert 'Epoch(val) [1]' in log and 'loss_ordered' in log
    log = run_command(['bash', 'tools/dist_test.sh', config, tmp_path / 'epoch_1.pth', '2',
                       '--work-dir', tmp_path], options)
    assert 'saliency/AP' in log and 'patch/' in log


@pytest.mark.slow
@pytest.mark.skipif(not REAL_CLIPS, reason='the real clips of ../shared are not here')
def test_paper_size_on_real_clips(videos, glancebench, tmp_path):
    """Train, resume and test on recordings with and without sound."""
    config = 'configs/avgn/avgn_mn2_r50_anet.py'
    names = [clip.name for clip in REAL_CLIPS]
    assert len(names) == 7
    (tmp_path / 'train.txt').write_text(f'{names[0]} 1\n{names[1]} 3 5\n')
    (tmp_path / 'val.txt').write_text('\n'.join(f'{name} {i}' for i, name in enumerate(names)))
    options = data_options(config, videos, glancebench) | NO_WEIGHTS
    for split in SPLITS:
        ann_file = tmp_path / ('train.txt' if split == 'train' else 'val.txt')
        options |= {f'{split}_dataloader.dataset.ann_file': ann_file,
                    f'{split}_dataloader.dataset.data_prefix.video': REAL_CLIPS[0].parent}
    options['train_dataloader.batch_size'] = 2
    arguments = (config, '--work-dir', tmp_path, '--no-validate', '--resume', 'auto')
    run('tools/train.py', *arguments, **options, **ONE_EPOCH)
    log = run('tools/train.py', *arguments, **options, **{'train_cfg.max_epochs': 2})
    assert 'resumed epoch: 1' in log and 'Epoch(train) [2][1/1]' in log
    log = run('tools/test.py', config, tmp_path / 'epoch_2.pth', '--work-dir', tmp_path, **options)
    assert 'Epoch(test) [7/7]' in log and 'mean_average_precision' in log
