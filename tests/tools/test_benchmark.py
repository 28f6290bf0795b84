"""``benchmark.py``: settings take turns, stages are timed; no time is judged."""

import json

import pytest


def test_fast_rows(load_tool, tiny_config, tmp_path, capsys):
    file = tmp_path / 'times.json'
    load_tool('benchmark').main([
        tiny_config, '--iters', '1', '--warmup', '0', '--device', 'cpu', '--json', str(file),
        '--fast', 'channels-last', 'bf16'])
    rows = json.loads(file.read_text())['settings']
    assert [row['fast'] for row in rows] == ['plain', 'channels-last,fp32', 'bf16']
    assert len({row['gmacs'] for row in rows}) == 1
    assert rows[0]['difference'] == 0 and rows[1]['difference'] < 1e-5
    assert 'score difference' in capsys.readouterr().out


def test_report(load_tool, tiny_config, resnet_config, tmp_path, capsys):
    benchmark, file = load_tool('benchmark'), tmp_path / 'times.json'
    ran = []
    predict = benchmark.predict
    benchmark.predict = lambda setting, watch: (ran.append(setting['budget']),
                                                predict(setting, watch))
    benchmark.main([tiny_config, resnet_config, '--budgets', '8,2', '8,8', '--iters', '2',
                    '--warmup', '1', '--batch-size', '2', '--shape', '32', '32', '--device', 'cpu',
                    '--json', str(file)])
    assert ran == [(8, 2), (8, 8), None] * 3
    report = json.loads(file.read_text())
    cheap, full, stock = report['settings']
    for row in (cheap, full):
        assert row['p95_ms'] >= row['median_ms'] > 0
        assert all(row['stages_ms'][stage] > 0 for stage in benchmark.AVGN_STAGES)
    assert cheap['gmacs'] < full['gmacs']
    assert stock['budget'] is None and stock['gmacs'] == pytest.approx(2 * 1.8135 / 49, rel=1e-2)
    assert stock['stages_ms']['focus'] > 0 and stock['stages_ms']['audio'] == 0
    (saving, ) = report['savings']
    assert saving['gmacs_ratio'] == pytest.approx(cheap['gmacs'] / full['gmacs'])
    assert saving['realised'] == pytest.approx(
        (1 - cheap['median_ms'] / full['median_ms']) / (1 - saving['gmacs_ratio']))
    assert report['environment']['batch_size'] == 2
    assert '| 8, 2 |' in capsys.readouterr().out.replace('  ', '')
