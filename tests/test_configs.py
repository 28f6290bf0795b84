"""Configs fit together; one of each method trains, validates, saves and tests on real files."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest
from mmengine.dataset import pseudo_collate

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.engine.launch import build_runner, load_config
from avgn_mm.registry import DATASETS
from tests.tiny_set import SPLITS, data_options

ROOT = Path(__file__).resolve().parents[1]
# Highlights are tested only, by tests/tools/test_tvsum.py; GRID's configs by test_grid.py there.
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob('configs/*/*.py')
                 if not p.parent.name.startswith('_') and p.parent.name != 'highlights'
                 and '_grid-' not in p.name)
# Of each method one config goes all the way; its others differ in data, sizes and recipe.
RUN = [config for config in CONFIGS if config.endswith('glancebench-mini.py')]
RUN += ['configs/avgn/avgn_mn2_r50_anet.py']
# These in processes of their own, as a user starts them.
BY_TOOL = ['configs/avgn/avgn_glancebench-mini.py', 'configs/avgn/avgn_mn2_r50_anet.py']
BIN = Path(sys.executable).parent
REAL_CLIPS = sorted(p for p in (ROOT.parent / 'shared/data/videos').glob('*')
                    if p.suffix in ('.avi', '.mkv', '.mp4'))
# The published weights need a network.
NO_WEIGHTS = {'model.backbone.init_cfg': None, 'model.audio_backbone.init_cfg': None,
              'model.local_backbone.pretrained': None}
ONE_EPOCH = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}


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


@pytest.mark.parametrize('config', sorted(set(CONFIGS) - set(RUN)))
def test_fits_together(config, videos, glancebench):
    """What the pipelines make of a file is what the model wants; the labels fit its head."""
    cfg = read_config(config, data_options(config, videos, glancebench))
    model = build_model(cfg)
    for split in SPLITS:
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        batch = model.data_preprocessor(pseudo_collate([dataset[0]]), False)
        imgs, audios = model.unpack(batch['inputs'])
        assert imgs.shape == (1, model.num_frames, 3, 224, 224)
        assert audios is None or audios.shape == (1, model.num_frames, 1, 96, 64)
        assert dataset.num_classes == model.cls_head.num_classes


@pytest.mark.parametrize('config', sorted(set(RUN) - set(BY_TOOL)))
def test_trains_and_tests(config, videos, glancebench, tmp_path):
    """In this process, which has everything imported already."""
    options = data_options(config, videos, glancebench) | ONE_EPOCH
    # OCSampler starts from a trained FrameExit.
    cfg = load_config(argparse.Namespace(
        config=config, cfg_options=options | {'load_from': None}, work_dir=str(tmp_path),
        launcher='none', local_rank=0))
    cfg.experiment_name = f'train {config}'
    runner = build_runner(cfg)
    runner.train()
    # As a test of its own would, from the file.
    runner.load_checkpoint(str(tmp_path / 'epoch_1.pth'))
    metrics = runner.test()
    assert 0 <= metrics['acc/top1'] <= 1 and metrics['cost/gmacs_mean'] > 0


@pytest.mark.parametrize('config', BY_TOOL)
def test_tools(config, videos, glancebench, tmp_path):
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
    assert 'saliency/AP' in log and 'cost/gmacs_mean' in log


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
