"""``solve_exits.py`` on a few clips, and how it chooses from the family."""

import json

import pytest

from tests.tiny_set import write_tiny_set

METRIC = 'acc/mean_average_precision'


@pytest.fixture(scope='module')
def tiny_set(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp('set'))


@pytest.fixture(scope='module')
def solve_exits(load_tool):
    return load_tool('solve_exits')


def test_file_holds_the_family(solve_exits, tiny_set, tmp_path, capsys):
    path = tmp_path / 'thresholds.json'
    solve_exits.main([*tiny_set, '--out', str(path), '--num-focus', '4'])
    content = json.loads(path.read_text())
    assert content['config'] == tiny_set[0] and content['checkpoint'] == 'random.pth'
    assert content['num_glances'] == 2 and content['num_focus'] == 4
    assert content['num_videos'] == 10 and content['metric'] == METRIC
    family = content['family']
    assert [member['power'] for member in family] == [p / 10 for p in range(5, 40)]
    # Shares 1, 2, 4, 8 of 15, of ten videos: 0, 1, 2 and the other 7 after 4 frames.
    member = family[15]
    assert member['thresholds'][0] is None and None not in member['thresholds'][1:3]
    assert member['frames_focused'] == pytest.approx((2 * 1 + 3 * 2 + 4 * 7) / 10)
    # Cheaper where more exit early.
    assert family[0]['gmacs'] < family[15]['gmacs'] < family[-1]['gmacs']
    chosen = next(m for m in family if m['power'] == content['power'])
    assert chosen['thresholds'] == content['thresholds']
    best = max(m[METRIC] for m in family)
    assert chosen[METRIC] >= best - 0.01
    assert all(m[METRIC] < best - 0.01 for m in family if m['gmacs'] < chosen['gmacs'])
    out = capsys.readouterr().out
    assert f'{content["power"]} (chosen)' in out
    assert (f'model.test_cfg.exit_thresholds={path} model.test_cfg.num_glances=2 '
            'model.test_cfg.num_focus=4') in out


FAMILY = [dict(power=0.5, top1=0.70, gmacs=1.0), dict(power=0.6, top1=0.795, gmacs=2.0),
          dict(power=0.7, top1=0.80, gmacs=3.0), dict(power=0.8, top1=0.78, gmacs=4.0)]


@pytest.mark.parametrize(('gmacs', 'power', 'expected'), [
    (None, None, 0.6), (3.9, None, 0.7), (4.0, None, 0.8), (1.0, None, 0.5), (None, 0.7, 0.7)])
def test_choice(solve_exits, gmacs, power, expected):
    assert solve_exits.choose(FAMILY, 'top1', gmacs, power)['power'] == expected


def test_choice_says_what_there_is(solve_exits):
    with pytest.raises(ValueError, match='cheapest member costs: 1 GMACs'):
        solve_exits.choose(FAMILY, 'top1', 0.9, None)
    with pytest.raises(ValueError, match='got 4.2'):
        solve_exits.choose(FAMILY, 'top1', None, 4.2)
