"""Methods side by side."""

import json

import pytest

from tests.tiny_set import write_tiny_set


@pytest.fixture(scope='module')
def tiny_set(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp('set'), num_videos=4)


def test_compare(load_tool, tiny_set, tmp_path, capsys):
    load_tool('compare').main([
        '--model', *tiny_set, 'name=cheap', 'model.test_cfg.num_focus=1',
        '--model', *tiny_set, 'name=dear', 'model.test_cfg.num_focus=8',
        '--num-videos', '2', '--threads', '1', '--out', str(tmp_path / 'out')])
    results = json.loads((tmp_path / 'out/results.json').read_text())
    cheap, dear = results['rows']
    assert results['metric'] == 'acc/mean_average_precision'
    assert cheap['name'] == 'cheap' and cheap['options'] == {'model.test_cfg.num_focus': 1}
    assert cheap['gmacs'] == cheap['metrics']['cost/gmacs_mean'] < dear['gmacs']
    assert cheap['parameters'] == dear['parameters'] > 1000
    for row in results['rows']:
        assert row['model_ms'] > 0 and row['end_to_end_ms'] > 0
    printed = capsys.readouterr().out
    assert '| cheap' in printed and 'tools/train.py' in printed
    assert (tmp_path / 'out/tradeoff.png').stat().st_size > 5000


def test_other_videos_do_not_compare(load_tool, tiny_set, tmp_path):
    other = write_tiny_set(tmp_path, num_videos=4)
    with pytest.raises(ValueError, match='on other videos'):
        load_tool('compare').main(['--model', *tiny_set, '--model', *other])


def test_a_setting_needs_a_value(load_tool, capsys):
    with pytest.raises(SystemExit):
        load_tool('compare').main(['--model', 'config.py', 'model.pth', 'num_focus'])
    assert 'key=value' in capsys.readouterr().err
