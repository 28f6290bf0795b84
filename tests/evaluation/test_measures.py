"""A trained row's tests against the config's own."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.engine.launch import build_runner
from avgn_mm.evaluation.measures import (
    corrupt_audio,
    evaluate,
    load_model,
    measure_budgets,
    measure_exits,
    measure_patches,
)
from tests.tiny_set import data_options, write_tiny_set

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """The config of a tiny AVGN, and its weights."""
    config, checkpoint = write_tiny_set(tmp_path_factory.mktemp('set'))
    return read_config(config), checkpoint


def own_test(cfg, checkpoint, folder):
    cfg = Config(cfg.to_dict())
    cfg.update(load_from=checkpoint, launcher='none', work_dir=str(folder), experiment_name='own')
    return build_runner(cfg).test()


def test_budgets_of_a_model_that_is_swept(tiny, tmp_path):
    cfg, checkpoint = tiny
    found = measure_budgets(cfg, load_model(cfg, checkpoint), [2, 99])
    expected = own_test(cfg, checkpoint, tmp_path)
    assert found['metric'] == 'acc/mean_average_precision' and found['num_videos'] == 10
    assert (found['num_glances'], found['num_focus']) == (4, 3)
    assert found['metrics'] == pytest.approx(expected, abs=1e-6)
    assert {(cell['num_glances'], cell['num_focus']) for cell in found['cells']} == {
        (g, k) for g in (2, 4) for k in range(1, 9)}
    (own, ) = (cell for cell in found['cells']
               if (cell['num_glances'], cell['num_focus']) == (4, 3))
    assert own[found['metric']] == pytest.approx(expected[found['metric']], abs=1e-6)
    assert own['gmacs'] == pytest.approx(expected['cost/gmacs_mean'], abs=1e-6)


def test_patches_and_exits(tiny):
    cfg, checkpoint = tiny
    found = measure_patches(cfg, load_model(cfg, checkpoint))
    assert [cell['num_focus'] for cell in found['cells']] == list(range(1, 9))
    assert 'gmacs' not in found['cells'][0]
    inf = float('inf')
    at_once = dict(power=0.5, thresholds=[-inf, -inf])
    found = measure_exits(cfg, load_model(cfg, checkpoint), dict(
        num_glances=2, power=0.7, thresholds=[inf, -inf], family=[at_once, {}, at_once]))
    *family, own = found['cells']
    assert [cell['power'] for cell in family] == [0.5, 0.5] and own['chosen_power'] == 0.7
    assert family[0]['frames_focused'] == 1 and own['frames_focused'] == 2


@pytest.fixture(scope='module')
def rival(videos, glancebench):
    config = str(ROOT / 'configs/scsampler/scsampler_glancebench-mini.py')
    cfg = read_config(config, data_options(config, videos, glancebench))
    torch.manual_seed(0)
    return cfg, build_model(cfg)


def test_budgets_of_a_rival_from_one_pass(rival, tmp_path):
    cfg, model = rival
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'random.pth')
    found = measure_budgets(cfg, model, num_focus=(1, 4, 99))
    expected = own_test(cfg, str(tmp_path / 'random.pth'), tmp_path)
    assert found['metrics'] == pytest.approx(expected, abs=1e-6)
    assert found['num_focus'] == 4 and found['num_glances'] is None
    assert [cell['num_focus'] for cell in found['cells']] == [4, 1]
    four, one = (cell['gmacs'] for cell in found['cells'])
    assert one < four == pytest.approx(expected['cost/gmacs_mean'], abs=1e-6)
    assert 'frames_focused' in found['cells'][0]
    # The setting is the config's again.
    assert evaluate(cfg, model, [4])[0] == pytest.approx(expected)
    assert model.test_cfg['num_focus'] == 4


def test_sound_is_corrupted_where_it_is_decoded():
    dataset = dict(ann_file='test.txt', data_root='data/x', data_prefix=dict(video='clips'),
                   pipeline=[dict(type='AVInit', cache_bytes=5), dict(type='DecodeAudio'),
                             dict(type='LogMel')])
    cfg = Config(dict(test_dataloader=dict(dataset=dataset)))
    wrong = corrupt_audio(cfg, mode='wrong').test_dataloader.dataset.pipeline
    assert wrong[2] == dict(
        type='CorruptAudio', mode='wrong', ann_file='data/x/test.txt',
        data_prefix=dict(video='data/x/clips'), cache_bytes=5)
    assert [step['type'] for step in wrong] == ['AVInit', 'DecodeAudio', 'CorruptAudio', 'LogMel']
    noise = corrupt_audio(cfg, mode='noise', snr_db=3.0).test_dataloader.dataset.pipeline
    assert noise[2] == dict(type='CorruptAudio', mode='noise', snr_db=3.0)
    assert len(cfg.test_dataloader.dataset.pipeline) == 3


def test_missing_sound_is_another_test(tiny):
    cfg, checkpoint = tiny
    model = load_model(cfg, checkpoint)
    clean, deaf = (evaluate(config, model, [3])[0]
                   for config in (cfg, corrupt_audio(cfg, mode='missing')))
    assert clean != deaf
