"""From a folder of videos named as the real ones to a trained, tested model, for each data set."""

import argparse
import csv
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from avgn_mm.engine.launch import build_runner, load_config
from tests.media import write_clip
from tests.tiny_set import SPLITS

ROOT = Path(__file__).resolve().parents[3]
# The published recipe on four small frames of a video, with small encoders and no weights from a
# network; what is read from the lists, and how, is as published.
SMALL = {
    'model.num_frames': 4, 'model.patch_size': 32, 'model.local_channels': 512,
    'model.local_backbone.depth': 18, 'model.local_backbone.pretrained': None,
    'model.backbone.init_cfg': None, 'model.audio_backbone.init_cfg': None,
    'model.test_cfg.num_glances': 2, 'model.test_cfg.num_focus': 2,
    'train_cfg.max_epochs': 1, 'train_cfg.val_begin': 2, 'default_hooks.checkpoint': None,
}


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """A runner formats its config five times, which takes longer than its one step does."""
    monkeypatch.setattr(Config, 'pretty_text', '')
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)


def write_tree(folder, names):
    """Short videos, every second one with sound."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, num_frames=8, audio=440.0 if i % 2 else None)


def train_and_test(config, folder, work_dir):
    """One epoch of one step, then the test set; returns the metrics."""
    options = dict(SMALL)
    for split in SPLITS:
        loader = f'{split}_dataloader'
        ann_file = folder / ('train.txt' if split == 'train' else 'val.txt')
        options |= {
            f'{loader}.dataset.ann_file': str(ann_file),
            f'{loader}.dataset.data_prefix.video': str(folder / 'videos'),
            f'{loader}.dataset.pipeline.1.num_frames': 4,
            f'{loader}.batch_size': 2, f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False}
    cfg = load_config(argparse.Namespace(
        config=str(ROOT / config), cfg_options=options, work_dir=str(work_dir), launcher='none',
        local_rank=0))
    cfg.experiment_name = f'dry run {config} {work_dir}'
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == 1
    return runner.test()


def listed(folder, split):
    return (folder / f'{split}.txt').read_text().splitlines()


def test_activitynet(load_prepare, tmp_path):
    write_tree(tmp_path / 'videos', [
        'train/v_QJm_B5Hx4DI.mp4', 'my videos/v_v_Vg4a8igc0.mkv', 'v_tnXjdv_GM9g.mp4'])

    def video(subset, *labels):
        segments = [dict(label=label, segment=[0, 1]) for label in labels]
        return dict(subset=subset, duration=0.8, annotations=segments)

    release = dict(version='VERSION 1.3', taxonomy=[], database={
        'QJm_B5Hx4DI': video('training', 'Applying sunscreen', 'Applying sunscreen'),
        'v_Vg4a8igc0': video('training', 'Zumba', 'Archery'),
        'tnXjdv_GM9g': video('validation', 'BMX'),
        'aaaaaaaaaaa': video('validation', 'BMX'),
        'bbbbbbbbbbb': dict(subset='testing', duration=1, annotations=[])})
    (tmp_path / 'release.json').write_text(json.dumps(release))
    load_prepare('activitynet').main([
        '--annotations', str(tmp_path / 'release.json'), '--out', str(tmp_path), '--workers', '0'])

    names = listed(tmp_path, 'classes')
    assert len(names) == 200
    zumba, archery, bmx = (names.index(name) for name in ('Zumba', 'Archery', 'BMX'))
    assert listed(tmp_path, 'train') == [
        'train/v_QJm_B5Hx4DI.mp4 0', f'my videos/v_v_Vg4a8igc0.mkv {zumba} {archery}']
    assert listed(tmp_path, 'val') == [f'v_tnXjdv_GM9g.mp4 {bmx}']
    assert json.loads((tmp_path / 'report.json').read_text())['splits']['val']['missing'] == [
        'aaaaaaaaaaa']
    metrics = train_and_test('configs/avgn/avgn_mn2_r50_anet.py', tmp_path, tmp_path / 'work')
    # One video of one class: whatever the scores, its average precision is 1.
    assert metrics['acc/mean_average_precision'] == 1 and metrics['cost/gmacs_mean'] > 0


@pytest.mark.slow
def test_fcvid(load_prepare, tmp_path):
    names = ['panda/a1b2c3d4e5f.mp4', 'making cake/_-c3d4e5f6g.mp4', 'beach/c5d6e7f8g9h.flv.mp4']
    write_tree(tmp_path / 'videos', names)
    (tmp_path / 'FCVID_VideoName_TrainTestSplit.txt').write_text(
        'panda/a1b2c3d4e5f.mp4\ttrain\nmaking cake/_-c3d4e5f6g.mp4\ttrain\n'
        'beach/c5d6e7f8g9h.flv\ttest\n')
    rows = [['0'] * 239 for _ in names]
    rows[0][7] = rows[1][0] = rows[1][238] = rows[2][7] = rows[2][8] = '1'
    (tmp_path / 'FCVID_Label.txt').write_text('\n'.join('\t'.join(row) for row in rows))
    (tmp_path / 'names.txt').write_text(''.join(f'{i + 1}\tthing {i}\n' for i in range(239)))
    load_prepare('fcvid').main([
        '--annotations', *(str(tmp_path / name) for name in (
            'names.txt', 'FCVID_Label.txt', 'FCVID_VideoName_TrainTestSplit.txt')),
        '--out', str(tmp_path), '--workers', '0'])
    assert listed(tmp_path, 'train') == [
        'panda/a1b2c3d4e5f.mp4 7', 'making cake/_-c3d4e5f6g.mp4 0 238']
    assert listed(tmp_path, 'val') == ['beach/c5d6e7f8g9h.flv.mp4 7 8']
    assert listed(tmp_path, 'classes')[238] == 'thing 238'
    metrics = train_and_test('configs/avgn/avgn_mn2_r50_fcvid.py', tmp_path, tmp_path / 'work')
    assert metrics['acc/mean_average_precision'] == 1


@pytest.mark.slow
def test_mini_kinetics(load_prepare, tmp_path):
    """The set of 121k: the list's labels, Kinetics' names, clips named with their times."""
    write_tree(tmp_path / 'videos', [
        'train/air drumming/7LSJ2Ryv1a8_000000_000010.mp4', 'train/yoga/-v_-GOOQ_aB.mp4',
        'val/Kv_G5xyzabc_000003_000013.mkv'])
    (tmp_path / 'train_list.txt').write_text('7LSJ2Ryv1a8 299 0\n-v_-GOOQ_aB 300 199\n')
    (tmp_path / 'val_list.txt').write_text('images/val/yoga/Kv_G5xyzabc_000003_000013;300;199\n')
    with open(tmp_path / 'k400.csv', 'w', newline='') as file:
        csv.writer(file).writerows([
            ['label', 'youtube_id', 'time_start', 'time_end', 'split', 'is_cc'],
            ['air drumming', '7LSJ2Ryv1a8', 0, 10, 'train', 0],
            ['yoga', '-v_-GOOQ_aB', 5, 15, 'train', 0],
            ['zumba', 'other_video', 5, 15, 'train', 0]])
    load_prepare('mini_kinetics').main([
        '--annotations', *(str(tmp_path / name) for name in (
            'train_list.txt', 'val_list.txt', 'k400.csv')),
        '--out', str(tmp_path), '--workers', '0'])
    assert listed(tmp_path, 'train') == [
        'train/air drumming/7LSJ2Ryv1a8_000000_000010.mp4 0', 'train/yoga/-v_-GOOQ_aB.mp4 199']
    assert listed(tmp_path, 'val') == ['val/Kv_G5xyzabc_000003_000013.mkv 199']
    splits = json.loads((tmp_path / 'report.json').read_text())['splits']
    # 0.8 s of video where the annotations promise 10: a broken download
    assert splits['train']['other_length']['train/yoga/-v_-GOOQ_aB.mp4'] == [0.8, 10.0]
    assert not splits['val']['other_length']
    metrics = train_and_test('configs/avgn/avgn_mn2_r50_minik.py', tmp_path, tmp_path / 'work')
    assert metrics['acc/top1'] in (0, 1) and metrics['acc/top5'] >= metrics['acc/top1']
