"""A setting that cannot work is named in one line: the value, the limit and the config key."""

import copy

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from avgn_mm.apis import AVInferencer
from avgn_mm.engine import check_weights
from avgn_mm.registry import DATASETS
from tests import tiny
from tests.tiny_set import write_tiny_set


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


def one_line(error, *parts):
    text = str(error.value)
    assert '\n' not in text
    for part in parts:
        assert part in text, text


@pytest.mark.parametrize('cfg, name, value', [
    ('test_cfg', 'num_focus', 9), ('test_cfg', 'num_glances', 9), ('train_cfg', 'num_glances', 9),
    ('test_cfg', 'num_focus', 0)])
def test_budgets(cfg, name, value):
    with pytest.raises(ValueError) as error:
        tiny.avgn(**{cfg: {name: value}})
    one_line(error, f'model.{cfg}.{name}={value}', '1..8', 'model.num_frames=8')


def test_patch_larger_than_the_image():
    model = tiny.avgn(patch_size=40).eval()
    with pytest.raises(ValueError) as error:
        tiny.predict(model, *tiny.batch())
    one_line(error, 'model.patch_size=40', '32 x 32 image')


@pytest.mark.parametrize('labels', [[5], [-1]])
def test_label_out_of_range(labels):
    model, (inputs, _) = tiny.avgn(), tiny.batch(2)
    samples = [ActionDataSample().set_gt_label(label) for label in (0, *labels)]
    with pytest.raises(ValueError) as error:
        model(inputs, samples, mode='loss')
    one_line(error, 'labels must be in 0..4', 'cls_head.num_classes=5', str(labels[0]))


def test_number_of_classes():
    model, (inputs, _) = tiny.avgn(), tiny.batch(1)
    sample = ActionDataSample()
    sample.set_field(torch.eye(7)[2], 'gt_label')
    with pytest.raises(ValueError) as error:
        model(inputs, [sample], mode='loss')
    one_line(error, '7 classes', '5', 'num_classes of the dataset', 'cls_head.num_classes')


def test_label_in_a_list(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4 8\n')
    with pytest.raises(ValueError) as error:
        DATASETS.build(dict(type='AudioVisualDataset', ann_file=str(tmp_path / 'list.txt'),
                            pipeline=[], num_classes=8, data_prefix=dict(video=str(tmp_path))))
    one_line(error, 'list.txt:2', 'label 8', 'num_classes=8')


@pytest.mark.parametrize('audios, parts', [
    (torch.randn(2, 8, 24, 16), ['(2, 8, 24, 16)', 'LogMel']),
    (torch.randn(2, 8, 2, 24, 16), ['(2, 8, 2, 24, 16)', 'LogMel']),
    (torch.randn(2, 7, 1, 24, 16), ['7 audio windows', 'model.num_frames=8']),
    (None, ["'audios'", 'collect_keys', 'model.audio_backbone=None']),
])
def test_shape_of_the_audio(audios, parts):
    model, (inputs, samples) = tiny.avgn(), tiny.batch(2)
    inputs['audios'] = audios
    with pytest.raises(ValueError) as error:
        tiny.predict(model, inputs, samples)
    one_line(error, *parts)


def test_weights_that_are_missing_or_of_another_size():
    model = tiny.avgn()
    weights = model.state_dict()
    check_weights(model, dict(state_dict={f'module.{k}': v for k, v in weights.items()}), 'a.pth')
    check_weights(model, dict(weights, more=torch.zeros(1)), 'a.pth')
    less = {name: value for name, value in weights.items() if not name.startswith('patch_policy')}
    with pytest.raises(ValueError) as error:
        check_weights(model, dict(state_dict=less), 'a.pth')
    one_line(error, 'a.pth lacks', 'patch_policy.', 'model.patch_policy', 'of another config')
    other = tiny.avgn(cls_head=dict(type='AVGNHead', num_classes=3, hidden_channels=32))
    with pytest.raises(ValueError) as error:
        check_weights(model, other.state_dict(), 'a.pth')
    one_line(error, 'a.pth: cls_head.', '(3', '(5', 'model.cls_head', 'num_classes')


def test_inferencer_wants_all_weights(tmp_path):
    config, path = write_tiny_set(tmp_path, num_videos=1)
    weights = torch.load(path, weights_only=True)
    less = copy.copy(weights['state_dict'])
    name = next(name for name in less if name.startswith('local_backbone'))
    del less[name]
    torch.save(dict(state_dict=less), path)
    with pytest.raises(ValueError, match=f'random.pth lacks 1 of the .* weights of AVGN, {name}'):
        AVInferencer(config, path, device='cpu')
