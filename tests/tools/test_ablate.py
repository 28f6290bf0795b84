"""Ablation tables: the rows' settings, one row for real, all rows' tests, and what is kept."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.ablations import TABLES, changed_settings
from avgn_mm.registry import MODELS
from tests.tiny_set import data_options

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/avgn/avgn_mn2_r50_anet.py'
ABLATIONS = sorted(ROOT.glob('configs/avgn/ablations/*.py'))
MINI = str(ROOT / 'configs/avgn/avgn_glancebench-mini.py')


@pytest.fixture(scope='module')
def ablate(load_tool):
    return load_tool('ablate')


@pytest.fixture(scope='module')
def arguments(videos, glancebench):
    """What points the tool at the smallest GlanceBench."""
    options = data_options(MINI, videos, glancebench) | {
        'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]


def cells(text):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in text.splitlines() if line.startswith('|')]


@pytest.fixture
def instead_of_training(ablate, monkeypatch):
    """Write random weights; returns the folders that were to be trained."""
    trained = []

    def write(command, **_):
        folder = Path(command[command.index('--work-dir') + 1])
        cfg = read_config(str(ROOT / command[2]))
        pairs = command[command.index('--cfg-options') + 1:]
        cfg.merge_from_dict({k: None if v == 'None' else float(v) for k, _, v in (
            pair.partition('=') for pair in pairs if pair.startswith('model.'))})
        folder.mkdir(parents=True)
        torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), folder / 'epoch_1.pth')
        trained.append(folder.name)

    monkeypatch.setattr(ablate, 'subprocess', SimpleNamespace(run=write))
    return trained


@pytest.mark.parametrize('config', ABLATIONS, ids=lambda path: path.stem)
def test_settings_say_all_that_a_config_changes(config):
    base, ablation = Config.fromfile(BASE), Config.fromfile(config)
    settings = changed_settings(ablation.to_dict(), base.to_dict())
    base.merge_from_dict(settings)
    assert base.to_dict() == ablation.to_dict()
    assert all(name.startswith('model.') for name in settings) and settings
    # Every data set's AVGN takes them; the smallest is enough to see that they fit together.
    mini = read_config(MINI, settings)
    build_model(mini)


def test_tables_and_configs_name_each_other():
    named = {row.ablation for table in TABLES.values() for row in table.rows} - {None}
    assert named == {path.stem for path in ABLATIONS}
    for table in TABLES.values():
        assert len({row.name for row in table.rows}) == len(table.rows)
        for row in table.rows:
            assert len(row.titles) == len(table.header)


def test_marks_say_which_parts_there_are():
    """The ticks of Tables 4 and 7 against the models and weights that the settings make."""
    for number, parts in ((4, ('audio_backbone', 'temporal_glance', 'spatial_glance',
                               'audio_fusion')),
                          (7, ('visual_loss_weight', 'audio_loss_weight', 'mask_loss',
                               'ordered_loss'))):
        for row in TABLES[number].rows:
            path = BASE if row.ablation is None else (
                ROOT / f'configs/avgn/ablations/{row.ablation}.py')
            base = Config.fromfile(BASE).to_dict()
            settings = changed_settings(Config.fromfile(path).to_dict(), base)
            model = build_model(read_config(MINI, settings))
            there = [getattr(model, part, None) if hasattr(model, part)
                     else getattr(model.cls_head, part) for part in parts]
            there = [getattr(part, 'loss_weight', part) for part in there]
            marks = ''.join('✓' if part not in (None, 0) else '✗' for part in there)
            assert marks == ''.join(row.titles[-4:]), row


def test_a_row_from_training_to_table(ablate, arguments, tmp_path, capsys, monkeypatch):
    """Trained by the tool, though in this process; a second call finds all done."""
    def train(command, **_):
        monkeypatch.setattr(sys, 'argv', command[1:])
        runpy.run_path(str(ROOT / command[1]), run_name='__main__')

    monkeypatch.setattr(ablate, 'subprocess', SimpleNamespace(run=train))
    command = ['4', '--only', 'exp1', '--work-dir', str(tmp_path), *arguments]
    ablate.main(command)
    header, _, row = cells(capsys.readouterr().out)
    assert header == ['Exp.', 'Audio', 'AV-TeST', 'AESPA', 'psi', 'k=1', 'k=2', 'k=4', 'k=8',
                      'paper: k=1', 'paper: k=4', 'paper: k=8', 'patch hit rate']
    assert row[:5] == ['1', '✗', '✗', '✗', '✗'] and row[9:12] == ['46.6%', '63.6%', '72.7%']
    results = json.loads((tmp_path / 'table4_exp1/results.json').read_text())
    assert results['num_videos'] == 2 and results['metric'] == 'acc/top1'
    assert [cell['num_focus'] for cell in results['cells']] == list(range(1, 17))
    assert {cell['num_glances'] for cell in results['cells']} == {0}
    # The pass over all k against the config's own test, at its own k.
    (own, ) = (cell for cell in results['cells'] if cell['num_focus'] == results['num_focus'])
    assert own['acc/top1'] == results['metrics']['acc/top1']
    assert own['gmacs'] == pytest.approx(results['metrics']['cost/gmacs_mean'])

    monkeypatch.setattr(ablate, 'subprocess', None)
    monkeypatch.setattr(ablate, 'build_runner', None)
    ablate.main([*command[:5], '--num-focus', '16', *arguments])
    assert cells(capsys.readouterr().out)[2][5] == f'{results["cells"][15]["acc/top1"]:.1%}'
    assert '76.9%' in (tmp_path / 'table4.md').read_text()
    with pytest.raises(ValueError, match='was made with .* name another --work-dir'):
        ablate.main([*command, 'model.test_cfg.num_glances=4'])


def test_tables_share_rows(ablate, arguments, tmp_path, capsys, instead_of_training):
    """Costs stand in Table 5, the patches alone in Table 6; AVGN itself is trained once."""
    for number, names in ((5, ['uniform', 'av-test']), (6, ['centre-crop', 'aespa'])):
        table = TABLES[number]
        ablate.main([str(number), '--only', *names, '--work-dir', str(tmp_path), *arguments])
        header, _, *rows = cells(capsys.readouterr().out)
        assert all(len(row) == len(header) for row in rows)
        assert [row[0] for row in rows] == [
            row.titles[0] for row in table.rows if row.name in names]
    assert instead_of_training == ['table5_uniform', 'full', 'table6_centre_crop']
    lines = cells((tmp_path / 'table5.md').read_text())
    assert lines[0][1:] == ['k=1', 'GMACs', 'k=2', 'GMACs', 'k=4', 'GMACs', 'k=8', 'GMACs',
                            'paper: k=4', 'paper: GFs', 'paper: k=8', 'paper: GFs',
                            'saliency AP', 'patch hit rate']
    assert lines[2][9:13] == ['67.3%', '7.4', '76.6%', '14.2'] and lines[2][13] == '-'
    assert lines[3][13] != '-' and float(lines[2][2]) < float(lines[3][2])
    (whole, patches) = (json.loads((tmp_path / f'full/{name}.json').read_text())['cells']
                        for name in ('results', 'results_patches'))
    assert 'gmacs' in whole[0] and 'gmacs' not in patches[0] and len(patches) == 16


def test_patch_readout_is_linear_in_the_mean_patch(ablate):
    model = build_model(read_config(MINI))
    readout = ablate.PatchReadout(model.cls_head)
    visual, local, audio = (torch.randn(2, 5, channels) for channels in (64, 128, 64))
    logits = readout(model.cls_head.fuse(visual, local, audio))
    for n in range(1, 6):
        expected = model.cls_head.fc_local[-1](local[:, :n].mean(dim=1))
        torch.testing.assert_close(logits[:, n - 1], expected)


def test_dry_run_prints_what_trains_the_rows(ablate, tmp_path, capsys):
    ablate.main(['7', '--dataset', 'anet', '--dry-run', '--only', 'no-audio', 'all', '--work-dir',
                 str(tmp_path), '--seed', '3'])
    no_audio, full = capsys.readouterr().out.splitlines()
    assert full == (f'python tools/train.py configs/avgn/avgn_mn2_r50_anet.py --work-dir '
                    f'{tmp_path}/full --resume auto --seed 3')
    assert no_audio.endswith('--seed 3 --cfg-options model.cls_head.audio_loss_weight=0.0')
    assert not any(tmp_path.iterdir())


def test_says_what_does_not_fit(ablate, tmp_path, capsys):
    with pytest.raises(SystemExit):
        ablate.main(['4', '--only', 'exp7'])
    assert 'has no row exp7; its rows are exp1, exp2' in capsys.readouterr().err
    with pytest.raises(ValueError, match=r'must be in 1..16, got 17'):
        ablate.main(['4', '--num-focus', '17', '--work-dir', str(tmp_path)])
