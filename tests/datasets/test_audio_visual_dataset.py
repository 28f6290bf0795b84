import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from avgn_mm.datasets.transforms import MediaReadError
from avgn_mm.registry import DATASETS
from tests.media import write_clip

PIPELINE = [
    dict(type='AVInit'),
    dict(type='SampleFrameTimes', num_frames=4),
    dict(type='DecodeFrames'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=('filename', )),
]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


@pytest.fixture
def build(tmp_path):

    def build(lines, pipeline=(), **kwargs):
        ann_file = tmp_path / 'list.txt'
        ann_file.write_text('\n'.join(lines) + '\n')
        return DATASETS.build(
            dict(
                type='AudioVisualDataset',
                ann_file=str(ann_file),
                data_prefix=dict(video=str(tmp_path)),
                pipeline=list(pipeline),
                **kwargs))

    return build


def test_single_label_list(build, tmp_path):
    dataset = build(['a.mp4 1', '', 'my clips/b c.mp4\t0  ', 'é.mp4 2'], num_classes=3)
    assert len(dataset) == 3
    items = [dataset.get_data_info(i) for i in range(3)]
    assert [item['label'] for item in items] == [1, 0, 2]
    assert items[1]['filename'] == str(tmp_path / 'my clips/b c.mp4')


def test_multi_label_list_is_one_hot(build):
    dataset = build(['a.mp4 1 3', 'b.mp4 0'], multi_class=True, num_classes=4)
    assert dataset.get_data_info(0)['label'].tolist() == [0, 1, 0, 1]
    assert dataset.get_data_info(1)['label'].tolist() == [1, 0, 0, 0]


def test_delimiter(build, tmp_path):
    dataset = build(['a 7 .mp4,1', 'b 2,0'], delimiter=',')
    items = [dataset.get_data_info(i) for i in range(2)]
    assert [item['label'] for item in items] == [1, 0]
    assert [item['filename'][len(str(tmp_path)) + 1:] for item in items] == ['a 7 .mp4', 'b 2']


@pytest.mark.parametrize(('line', 'kwargs', 'message'), [
    ('b.mp4 1 2', {}, r"2 labels \[1, 2\] for 'b.mp4'; set multi_class=True"),
    ('b.mp4 3', dict(num_classes=3), 'label 3 is not in'),
    ('b.mp4 -1', {}, 'label -1 is not in'),
    ('b.mp4 0 9', dict(num_classes=4, multi_class=True), 'label 9 is not in'),
    ('b.mp4', {}, 'no label'),
    ('b.mp4', dict(num_classes=4, multi_class=True), 'no label'),
    ('b.mp4', dict(test_mode=True), 'no label'),  # the other line has one
    ('b.mp4,dog', dict(delimiter=','), 'integer labels'),
    ('7 2', {}, 'expected "path label'),
])
def test_malformed_lines_are_named(build, line, kwargs, message):
    first = 'a.mp4,0' if 'delimiter' in kwargs else 'a.mp4 0'
    with pytest.raises(ValueError, match=rf'list\.txt:3: .*{message}'):
        build([first, '', line], **kwargs)


def test_lists_without_labels_are_for_inference(build):
    dataset = build(['a.mp4', 'b c.mp4'], test_mode=True)
    assert [dataset.get_data_info(i)['label'] for i in range(2)] == [-1, -1]


def test_missing_and_empty_lists(build, tmp_path):
    with pytest.raises(ValueError, match=r'list\.txt lists no file'):
        build(['', ' '])
    with pytest.raises(ValueError, match='num_classes'):
        build(['a.mp4 1'], multi_class=True)
    with pytest.raises(FileNotFoundError, match=r'nowhere\.txt does not exist'):
        DATASETS.build(
            dict(type='AudioVisualDataset', ann_file=str(tmp_path / 'nowhere.txt'), pipeline=[]))


def test_training_replaces_unreadable_files(build, tmp_path, caplog):
    write_clip(tmp_path / 'good.mp4', num_frames=5)
    (tmp_path / 'bad.mp4').write_text('no video')
    dataset = build(['bad.mp4 0', 'good.mp4 1'], PIPELINE, max_bad_share=0.5)
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.WARNING):
            samples = [dataset[0] for _ in range(3)]
    finally:
        logger.removeHandler(caplog.handler)
    for sample in samples:
        assert sample['data_samples'].filename.endswith('good.mp4')
        assert sample['inputs'].shape == (4, 3, 48, 64)
    warnings = [text for text in map(logging.LogRecord.getMessage, caplog.records) if 'bad' in text]
    assert len(warnings) == 1 and 'Invalid data' in warnings[0]  # once a file, with the reason


def test_training_gives_up_on_a_list_of_unreadable_files(build):
    dataset = build(['bad.mp4 0', 'worse.mp4 1'], PIPELINE, max_refetch=3, max_bad_share=1.0)
    with pytest.raises(RuntimeError, match=r'4 files of .*list\.txt in a row cannot be read'):
        dataset[0]


def test_testing_names_unreadable_files(build, tmp_path):
    write_clip(tmp_path / 'good.mp4', num_frames=5)
    dataset = build(['missing.mp4 0', 'good.mp4 1'], PIPELINE, test_mode=True)
    with pytest.raises(MediaReadError, match=r'missing\.mp4: No such file'):
        dataset[0]
    assert dataset[1]['data_samples'].gt_label.tolist() == [1]


def test_other_faults_are_not_hidden(build, tmp_path):
    write_clip(tmp_path / 'good.mp4', num_frames=5)
    dataset = build(['good.mp4 1'], [*PIPELINE[:3], dict(type='LogMel')])
    with pytest.raises(KeyError, match='waveforms'):
        dataset[0]


def test_one_hot_labels_suit_the_map_metric(build, tmp_path):
    from mmaction.evaluation import AccMetric
    write_clip(tmp_path / 'good.mp4', num_frames=5)
    dataset = build(['good.mp4 1 2'] * 2, PIPELINE, multi_class=True, num_classes=3)
    metric = AccMetric(metric_list=('mean_average_precision', ))
    for i in range(2):
        sample = dataset[i]['data_samples']
        sample.set_pred_score(torch.tensor([0.1, 0.8, 0.9]))
        metric.process(None, [sample.to_dict()])
    result = metric.compute_metrics(metric.results)
    assert np.isfinite(result['mean_average_precision'])
