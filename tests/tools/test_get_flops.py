"""``get_flops.py`` on a tiny AVGN and on a network whose count is well known."""

import json

import pytest
import torch

from tests.tiny import NUM_FRAMES


@pytest.fixture(scope='module')
def get_flops(load_tool):
    return load_tool('get_flops')


def test_parts_sum_to_what_a_prediction_costs(get_flops, tiny_config, tmp_path, capsys):
    file = tmp_path / 'flops.json'
    # All frames are glanced at: the cost does not depend on the selection.
    get_flops.main([tiny_config, '--num-glances', str(NUM_FRAMES), '--json', str(file)])
    report = json.loads(file.read_text())
    (count, ) = report['budgets']
    assert count['num_focus'] == 3  # the config's
    cfg = get_flops.read_config(tiny_config)
    model = get_flops.build_model(cfg)
    model.test_cfg.update(num_glances=NUM_FRAMES)
    with torch.no_grad():
        (sample, ) = model.test_step(get_flops.random_batch(cfg))
    assert count['gmacs'] == pytest.approx([sample.gmacs] * 2)
    parts = count['parts']
    assert sum(part['calls'][1] * part['gmacs'] for part in parts.values()) == pytest.approx(
        sample.gmacs)
    assert parts['local_backbone.frame']['calls'] == [3, 3]
    assert report['parameters'] == sum(p.numel() for p in model.parameters())
    out = capsys.readouterr().out
    assert "GMACs (the papers' GFLOPs)" in out and 'audios 8 x 1 x 96 x 64' in out
    assert out.splitlines()[-1].endswith(f'{report["parameters"]:,} |')


def test_grid_tells_lowest_and_highest(get_flops, tiny_config, tmp_path, capsys):
    file = tmp_path / 'flops.json'
    get_flops.main([tiny_config, '--random', '--num-focus', '2', '8', '--json', str(file)])
    counts = {(c['num_glances'], c['num_focus']): c
              for c in json.loads(file.read_text())['budgets']}
    assert sorted(counts) == [(g, k) for g in (2, 4, 8) for k in (2, 8)]
    assert counts[4, 2]['frames_encoded'] == [4, 6]
    assert counts[4, 2]['gmacs'][0] < counts[4, 2]['gmacs'][1]
    assert counts[4, 8]['frames_encoded'] == [8, 8]
    assert '| k = 2 |' in capsys.readouterr().out.replace('  ', '')


def test_without_av_test_only_selected_frames_are_encoded(get_flops, tiny_config, tmp_path):
    file = tmp_path / 'flops.json'
    get_flops.main([tiny_config, '--json', str(file), '--cfg-options',
                    'model.temporal_glance=None'])
    (count, ) = json.loads(file.read_text())['budgets']
    assert count['num_glances'] == 0 and count['frames_encoded'] == [3, 3]


def test_resnet18(get_flops, resnet_config, tmp_path, capsys):
    file = tmp_path / 'flops.json'
    get_flops.main([resnet_config, '--json', str(file)])
    report = json.loads(file.read_text())
    # 1.814 with its classifier of 1000 classes; two clips.
    assert report['gmacs'] == pytest.approx(2 * (1.81407 - 0.000512), rel=1e-4)
    assert report['inputs'] == dict(imgs=[2, 3, 224, 224])
    get_flops.main([resnet_config, '--shape', '112', '112', '--json', str(file)])
    assert json.loads(file.read_text())['inputs'] == dict(imgs=[2, 3, 112, 112])
    with pytest.raises(ValueError, match='Recognizer2D has no budgets'):
        get_flops.main([resnet_config, '--num-focus', '2'])


def test_bad_budget(get_flops, tiny_config):
    with pytest.raises(ValueError, match='--num-focus=9 must be in 1..8'):
        get_flops.main([tiny_config, '--num-focus', '9'])


def test_pipeline_that_does_not_say_the_size(get_flops, tiny_config, resnet_config):
    cfg = get_flops.read_config(resnet_config)
    del cfg.test_dataloader.dataset.pipeline[4]
    with pytest.raises(ValueError, match='say it with --shape H W'):
        get_flops.random_batch(cfg)
    batch = get_flops.random_batch(cfg, 2, (64, 96))
    assert [tuple(frames.shape) for frames in batch['inputs']] == [(2, 3, 64, 96)] * 2
    cfg.test_dataloader.dataset.pipeline[0] = dict(type='PyAVDecode')
    with pytest.raises(ValueError, match='does not run on a plain video file'):
        get_flops.random_batch(cfg)
