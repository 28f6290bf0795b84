"""Training and testing over unreadable files: listed once, bounded, never dropped unseen."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from avgn_mm.datasets.bad_files import BadFiles, read_bad_files
from avgn_mm.datasets.transforms import MediaReadError
from avgn_mm.engine.bad_files_hook import _predict_wrong
from avgn_mm.registry import DATASETS
from tests.media import write_clip
from tests.robustness.bad_set import spoil
from tests.robustness.soak import BAD, soak
from tests.tiny_set import write_tiny_set

NUM_VIDEOS = 10


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    return folder, Config.fromfile(write_tiny_set(folder, NUM_VIDEOS)[0])


@pytest.fixture
def config(tiny, tmp_path):
    """A config that trains, validates and tests on a tiny set."""
    folder, config = tiny
    config = Config(config.to_dict())
    pipeline = config.test_dataloader.dataset.pipeline
    config.train_dataloader.update(num_workers=2, persistent_workers=True)
    config.train_dataloader.dataset.pipeline = pipeline
    config.val_dataloader = config.test_dataloader.to_dict()
    config.val_evaluator = dict(type='AccMetric', metric_list=('mean_average_precision', ))
    config.val_cfg = dict(type='ValLoop')
    config.custom_hooks = [dict(type='BadFilesHook')]
    config.default_hooks = dict(checkpoint=None, logger=None)
    config.work_dir = str(tmp_path / 'work')
    return config


def spoil_list(dataset, folder: Path, share: float):
    """Point a dataset's config at a copy with bad files."""
    spoiled = spoil(Path(dataset.ann_file), Path(dataset.data_prefix.video), folder, share=share,
                    seed=0)
    # Its paths lead to good files elsewhere.
    dataset.update(ann_file=str(spoiled.with_bad), data_prefix=dict(video=''), allow_outside=True)
    return spoiled


def listed(config) -> set[str]:
    path = Path(config.work_dir, 'bad_files.jsonl')
    return {each['filename'] for each in read_bad_files(path)} if path.exists() else set()


def build(folder: Path, lines: list[str], **options):
    (folder / 'list.txt').write_text('\n'.join(lines))
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        return DATASETS.build(dict(
            type='AudioVisualDataset', ann_file=str(folder / 'list.txt'),
            data_prefix=dict(video=str(folder)),
            pipeline=[dict(type='AVInit'), dict(type='SampleFrameTimes', num_frames=2),
                      dict(type='DecodeFrames'), dict(type='FormatShape', input_format='NCHW'),
                      dict(type='PackActionInputs', meta_keys=('filename', ))], **options))


def test_training_lists_exactly_the_bad_files(config, tmp_path):
    spoiled = spoil_list(config.train_dataloader.dataset, tmp_path / 'spoiled', 0.2)
    config.train_dataloader.dataset.max_bad_share = 0.25
    os.makedirs(config.work_dir)
    old = BadFiles(str(spoiled.with_bad), f'{config.work_dir}/bad_files.jsonl')
    old.add('mended since.mp4', 'it was bad')  # by a run before this one
    Runner.from_cfg(config).train()
    assert listed(config) == {str(path) for path in spoiled.bad} and len(spoiled.bad) == 2
    lines = Path(config.work_dir, 'bad_files.jsonl').read_text().splitlines()
    assert len(lines) == 2 and all(json.loads(line)['reason'] for line in lines)


def test_training_stops_when_too_many_files_are_bad(config, tmp_path):
    spoil_list(config.train_dataloader.dataset, tmp_path / 'spoiled', 0.6)
    config.train_dataloader.dataset.max_bad_share = 0.2
    message = (r'[3-6] of the 10 files of .*with\.txt cannot be read, more than max_bad_share=0.2 '
               r'allows, see .*bad_files\.jsonl')
    with pytest.raises(RuntimeError, match=message):
        Runner.from_cfg(config).train()


@pytest.mark.parametrize('multi_class', [True, False])
def test_unreadable_test_videos_count_as_wrong(config, tmp_path, multi_class):
    dataset, loader = config.test_dataloader.dataset, config.test_dataloader
    loader.num_workers = 2
    if multi_class:
        metric, name = 'mean_average_precision', 'acc/mean_average_precision'
    else:
        dataset.multi_class = False
        metric, name = 'top_k_accuracy', 'acc/top1'
    config.test_evaluator = dict(type='AccMetric', metric_list=(metric, ))
    readable = Runner.from_cfg(config).test()
    assert 'unreadable' not in readable and not listed(config)
    spoiled = spoil_list(dataset, tmp_path / 'spoiled', 1.0)
    dataset.max_bad_share = 1.0
    runner = Runner.from_cfg(config)
    found = runner.test()
    # all labels come last among all scores
    assert found['unreadable'] == NUM_VIDEOS and listed(config) == set(map(str, spoiled.bad))
    assert found[name] == 0 if not multi_class else found[name] < 0.3


def test_a_bad_validation_video_does_not_end_training(config, tmp_path):
    dataset = config.val_dataloader.dataset
    spoiled = spoil_list(dataset, tmp_path / 'spoiled', 0.1)
    Runner.from_cfg(config).train()
    assert listed(config) == set(map(str, spoiled.bad)) and len(spoiled.bad) == 1


@pytest.mark.parametrize('truth', [torch.tensor([2]), torch.tensor([0.0, 1.0, 1.0])])
def test_a_wrong_prediction_scores_the_truth_last(truth):
    sample = ActionDataSample().set_gt_label(truth).set_pred_score(torch.tensor([0.1, 0.2, 0.7]))
    _predict_wrong(sample)
    assert sample.pred_score.tolist() == ([0, 0, -1] if len(truth) == 1 else [0, -1, -1])
    assert sample.pred_label.tolist() == [0]


def test_on_error(tmp_path):
    write_clip(tmp_path / 'good.mp4', num_frames=2)
    lines = ['bad.mp4 0', 'good.mp4 1']
    with pytest.raises(MediaReadError, match=r'bad\.mp4'):
        build(tmp_path, lines, on_error='raise')[0]
    with pytest.raises(MediaReadError, match=r'bad\.mp4'):  # nobody would count it as wrong
        build(tmp_path, lines, test_mode=True, max_bad_share=1)[0]
    with pytest.raises(ValueError, match="'ignore'"):
        build(tmp_path, lines, on_error='ignore')
    with pytest.raises(ValueError, match='max_bad_share must be 0 to 1, got 2'):
        build(tmp_path, lines, max_bad_share=2)
    dataset = build(tmp_path, lines, max_bad_share=0.5, bad_files=str(tmp_path / 'bad.jsonl'))
    assert dataset[0]['data_samples'].filename.endswith('good.mp4')
    (record, ) = read_bad_files(tmp_path / 'bad.jsonl')
    assert record['filename'].endswith('bad.mp4') and 'No such file' in record['reason']
    assert record['list'].endswith('list.txt')


def test_processes_write_one_list(tmp_path):
    path = str(tmp_path / 'bad.jsonl')

    def write(first: int) -> None:
        bad = BadFiles('train.txt', path)
        for i in range(first, first + 100):
            bad.add(f'{i}\n"é\udce9.mp4', 'because')

    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=write, args=(first, )) for first in (0, 50, 100, 0)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(Path(path).read_text().splitlines()) == 200
    assert {each['filename'] for each in read_bad_files(path)} \
        == {f'{i}\n"é\udce9.mp4' for i in range(200)}


def test_a_line_cut_off_by_a_kill(tmp_path):
    path = tmp_path / 'bad.jsonl'
    BadFiles('a.txt', str(path)).add('1.mp4', 'because')
    path.write_bytes(path.read_bytes() + b'{"list": "a.txt", "filena')
    bad = BadFiles('a.txt', str(path))
    assert bad.add('2.mp4', 'because') and not bad.add('1.mp4', 'because')
    other = BadFiles('b.txt', str(path))
    assert other.add('1.mp4', 'because') and len(other) == 1
    bad.forget()
    assert [each['list'] for each in read_bad_files(path)] == ['b.txt']
    assert bad.add('2.mp4', 'again') and len(bad) == 1 and len(read_bad_files(path)) == 2


def test_soak(tmp_path):
    """``make robustness`` reads 20,000 samples."""
    usages = soak(tmp_path, 300, every=100)
    assert usages[-1].resident_bytes < 1.05 * usages[0].resident_bytes
    assert usages[-1].open_files <= usages[0].open_files
    assert len(read_bad_files(tmp_path / 'bad_files.jsonl')) == len(BAD)
