"""The studies against the configs that they name."""

from pathlib import Path

from mmengine.config import Config

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.evaluation.ablations import changed_settings
from avgn_mm.evaluation.studies import METHODS, PAPER, make_studies

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/avgn/avgn_mn2_r50_anet.py'
MINI = str(ROOT / 'configs/avgn/avgn_glancebench-mini.py')
IMPROVEMENTS = sorted(path.stem for path in ROOT.glob('configs/avgn/improvements/*.py'))
STUDIES = make_studies(IMPROVEMENTS)


def test_rows_and_configs_name_each_other():
    ablations = {path.stem for path in ROOT.glob('configs/avgn/ablations/*.py')}
    rows = {row for study in STUDIES.values() for row, _ in study.measures()}
    assert rows == ablations | set(METHODS) | set(IMPROVEMENTS)
    assert PAPER in IMPROVEMENTS
    folders = {path.parent.name for path in ROOT.glob('configs/*/*_glancebench-mini.py')}
    assert set(METHODS) == folders
    for name, method in METHODS.items():
        assert (ROOT / f'configs/{name}/{name}_{method.networks}_glancebench.py').exists()
        assert method.after is None or method.after in METHODS


def test_lines_are_told_apart_and_compared():
    for study in STUDIES.values():
        names = [line.name for line in study.lines]
        assert len(set(names)) == len(names)
        assert all(len(line.titles) == len(study.header) for line in study.lines)
        assert {name for comparison in study.comparisons
                for name in (comparison.better, comparison.worse)} <= set(names)
        assert set(study.against) <= set(names)


def test_a_study_without_rows():
    study = STUDIES['table4'].without({'table4_exp5'})
    assert [line.name for line in study.lines] == [f'Exp. {n}' for n in (1, 2, 3, 4, 6)]
    assert [(c.better[-1], c.worse[-1]) for c in study.comparisons] == [
        ('2', '1'), ('4', '3'), ('3', '1'), ('4', '2')]
    assert STUDIES['methods'].without({'avgn', PAPER}).against == ('AVGN with audio dropout', )


def test_a_row_in_the_place_of_another():
    study = STUDIES['table5'].instead(PAPER, 'avgn')
    assert [(line.name, line.row) for line in study.lines] == [
        ('Uniform', 'table5_uniform'), ('AV-TeST', 'avgn')]
    assert study.comparisons == STUDIES['table5'].comparisons
    study = STUDIES['audio'].instead(PAPER, 'avgn')  # both are lines of it
    assert {line.row for line in study.lines} == {'table4_exp2', 'avgn', 'audio_dropout'}
    assert len(study.lines) == 9 and len(study.comparisons) == 6


def test_marks_say_which_parts_there_are():
    """The ticks of Tables 4 and 7 against the models and weights that the settings make."""
    base = Config.fromfile(BASE).to_dict()
    for name, parts in (('table4', ('audio_backbone', 'temporal_glance', 'spatial_glance',
                                    'audio_fusion')),
                        ('table7', ('visual_loss_weight', 'audio_loss_weight', 'mask_loss',
                                    'ordered_loss'))):
        for line in STUDIES[name].lines:
            folder = 'improvements' if line.row == PAPER else 'ablations'
            path = ROOT / f'configs/avgn/{folder}/{line.row}.py'
            settings = changed_settings(Config.fromfile(path).to_dict(), base)
            model = build_model(read_config(MINI, settings))
            # All as the paper trains them.
            assert model.audio_dropout is None or model.audio_backbone is None
            there = [getattr(model, part, None) if hasattr(model, part)
                     else getattr(model.cls_head, part) for part in parts]
            there = [getattr(part, 'loss_weight', part) for part in there]
            marks = ''.join('✓' if part not in (None, 0) else '✗' for part in there)
            assert marks == ''.join(line.titles[-4:]), line
