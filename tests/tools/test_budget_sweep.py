"""One pass says what separate runs of ``tools/test.py`` say; its tables and pictures."""

import argparse
import csv
import json
import shutil

import pytest

from avgn_mm.engine.launch import build_runner, load_config
from tests.tiny_set import write_tiny_set

METRIC = 'acc/mean_average_precision'
CELLS = [(g, k) for g in (2, 8) for k in (1, 3, 8)]


@pytest.fixture(scope='module')
def tiny_set(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp('set'))


@pytest.fixture(scope='module')
def budget_sweep(load_tool):
    return load_tool('budget_sweep')


@pytest.fixture(scope='module')
def thresholds(load_tool, tiny_set, tmp_path_factory):
    """A thresholds file, solved on the training clips."""
    path = tmp_path_factory.mktemp('exits') / 'thresholds.json'
    load_tool('solve_exits').main([*tiny_set, '--out', str(path), '--power', '0.5'])
    return path


@pytest.fixture(scope='module')
def swept(budget_sweep, tiny_set, thresholds, tmp_path_factory):
    """The folder that a sweep wrote."""
    folder = tmp_path_factory.mktemp('sweep')
    budget_sweep.main([*tiny_set, '--num-glances', '8', '2', '--num-focus', '8', '1', '3',
                       '--exits', str(thresholds), '--out', str(folder), '--name', 'mine'])
    return folder


def run_test(tiny_set, work_dir, options):
    """What ``tools/test.py`` logs with these ``--cfg-options``."""
    config, checkpoint = tiny_set
    cfg = load_config(argparse.Namespace(
        config=config, work_dir=str(work_dir), cfg_options=options, launcher='none',
        local_rank=0))
    cfg.load_from = checkpoint
    cfg.experiment_name = '_'.join(map(str, options.values()))
    return build_runner(cfg).test()


def test_cells_equal_separate_tests(swept, tiny_set, tmp_path):
    results = json.loads((swept / 'results.json').read_text())
    assert [(c['num_glances'], c['num_focus']) for c in results['cells']] == CELLS
    assert results['num_videos'] == 10 and results['metric'] == METRIC
    for cell in results['cells']:
        metrics = run_test(tiny_set, tmp_path, {
            'model.test_cfg.num_glances': cell['num_glances'],
            'model.test_cfg.num_focus': cell['num_focus']})
        assert metrics[METRIC] == cell[METRIC]
        assert metrics['cost/gmacs_mean'] == pytest.approx(cell['gmacs'], rel=1e-6)
        assert metrics['cost/frames_encoded'] == pytest.approx(cell['frames_encoded'])
        assert metrics['cost/frames_focused'] == cell['num_focus'] == cell['frames_focused']
    # Otherwise the comparison would say nothing.
    assert len({cell[METRIC] for cell in results['cells']}) > 2


def test_exits_equal_a_separate_test(swept, tiny_set, thresholds, tmp_path):
    curve = json.loads((swept / 'results.json').read_text())['exits']
    assert len(curve) == 35
    (member, ) = (member for member in curve if member['power'] == 0.5)
    metrics = run_test(tiny_set, tmp_path, {
        'model.test_cfg.exit_thresholds': str(thresholds), 'model.test_cfg.num_glances': 2,
        'model.test_cfg.num_focus': 8})
    assert metrics[METRIC] == member[METRIC]
    assert metrics['cost/gmacs_mean'] == pytest.approx(member['gmacs'], rel=1e-6)
    assert metrics['cost/frames_focused'] == pytest.approx(member['frames_focused'])
    assert 2 < member['frames_focused'] < 7  # some exit early, some late


def test_files(swept):
    with open(swept / 'results.csv') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 + 35 and rows[0]['num_focus'] == '1' and rows[-1]['power'] == '3.9'
    lines = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in (swept / 'table.md').read_text().splitlines()]
    assert lines[0] == ['T_G', 'k=1', '', 'k=3', '', 'k=8', '']
    assert lines[2] == ['', *[METRIC, 'GMACs'] * 3]
    assert [line[0] for line in lines[3:5]] == ['2', '8']
    assert float(lines[3][2]) < float(lines[4][2]) < float(lines[4][6])
    assert any('**' in line[1] for line in lines[3:5])
    assert (swept / 'tradeoff.png').stat().st_size > 10000


def test_compares_methods(budget_sweep, swept, tiny_set, tmp_path):
    arguments = [*tiny_set, '--num-glances', '2', '--num-focus', '1', '2', '--out',
                 str(tmp_path / 'out'), '--compare']
    budget_sweep.main([*arguments, str(swept)])
    other = tmp_path / 'other'
    shutil.copytree(swept, other)
    results = json.loads((other / 'results.json').read_text())
    (other / 'results.json').write_text(json.dumps({**results, 'metric': 'acc/top1'}))
    with pytest.raises(ValueError, match='mine has acc/top1'):
        budget_sweep.main([*arguments, str(other)])


def test_without_av_test_there_is_one_row(budget_sweep, tiny_set, tmp_path, capsys):
    budget_sweep.main([*tiny_set, '--num-glances', '2', '8', '--num-focus', '3', '--out',
                       str(tmp_path), '--cfg-options', 'model.temporal_glance=None'])
    (cell, ) = json.loads((tmp_path / 'results.json').read_text())['cells']
    assert cell['num_glances'] == 0 and cell['frames_encoded'] == 3
    metrics = run_test(tiny_set, tmp_path, {
        'model.temporal_glance': None, 'model.test_cfg.num_focus': 3})
    assert metrics[METRIC] == cell[METRIC]
    assert metrics['cost/gmacs_mean'] == pytest.approx(cell['gmacs'], rel=1e-6)


def test_random_needs_neither_data_nor_checkpoint(budget_sweep, tiny_config, capsys):
    budget_sweep.main([tiny_config, '--random', '--num-glances', '8', '--num-focus', '1', '8'])
    out = capsys.readouterr().out
    assert '(8)' in out and 'It depends on the selection' in out
    with pytest.raises(SystemExit):
        budget_sweep.main([tiny_config])


def test_says_what_does_not_fit(budget_sweep, tiny_set, resnet_config):
    with pytest.raises(ValueError, match=r'must be in 1..8 \(model.num_frames=8\), got 9'):
        budget_sweep.main([*tiny_set, '--num-focus', '9', '--num-glances', '2'])
    with pytest.raises(ValueError, match='must be in 1..8 .* got 0'):
        budget_sweep.main([*tiny_set, '--num-focus', '1', '--num-glances', '0'])
    with pytest.raises(ValueError, match='Recognizer2D has no T_G and k'):
        budget_sweep.main([resnet_config, '--random'])


def test_benchmark_agrees_with_itself(load_tool, tiny_set, capsys):
    load_tool('benchmark_sweep').main(
        [*tiny_set, '--num-glances', '2', '8', '--num-focus', '1', '8'])
    out = capsys.readouterr().out
    assert '4 cells, 10 videos, accuracies equal' in out and 'CPU time: one pass' in out
