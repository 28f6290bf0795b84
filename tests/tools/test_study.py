"""The study tool: what it trains, in which order, what it keeps, and the page that it writes."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tiny_set import data_options

ROOT = Path(__file__).resolve().parents[2]
MINI = str(ROOT / 'configs/avgn/avgn_glancebench-mini.py')


@pytest.fixture(scope='module')
def study(load_tool):
    return load_tool('study')


@pytest.fixture
def place(tmp_path):
    """Arguments that keep everything in the test's folder."""
    return ['--work-dir', str(tmp_path / 'trained'), '--results', str(tmp_path / 'results')]


@pytest.fixture
def stub(study, monkeypatch):
    """In place of training and testing; what was done, and rows whose training shall fail."""
    done = SimpleNamespace(trained=[], tested=[], fail=set(), commands=[], lock=threading.Lock())

    def train(command, stdout, **_):
        folder = Path(command[command.index('--work-dir') + 1])
        with done.lock:
            done.commands.append(command)
            done.trained.append(f'{folder.parent.name}/{folder.name}')
        if folder.parent.name in done.fail:
            stdout.write('first\nIt is broken\n')
            return SimpleNamespace(returncode=3)
        (folder / 'epoch_8.pth').touch()
        return SimpleNamespace(returncode=0)

    def measure(cfg, model, *_, **__):
        cells = [dict(num_glances=12, num_focus=k, **{'acc/top1': k / 8, 'gmacs': k / 10})
                 for k in (1, 2, 4)]
        return dict(num_videos=2, metric='acc/top1', num_glances=12, num_focus=4,
                    metrics={'acc/top1': 0.5}, cells=cells)

    def load(cfg, checkpoint):
        done.tested.append('/'.join(Path(checkpoint).parts[-3:-1]))

    monkeypatch.setattr(study, 'subprocess', SimpleNamespace(run=train, STDOUT=None))
    monkeypatch.setattr(study, 'load_model', load)
    monkeypatch.setattr(study, 'measure_budgets', measure)
    return done


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.json'))


def test_trains_once_tests_once_and_goes_on(study, place, stub, tmp_path, capsys):
    command = ['table5', '--seeds', '0', '1', *place]
    assert study.main(command) == 0
    rows = [f'{row}/seed{n}' for row in ('no_audio_dropout', 'table5_uniform') for n in (0, 1)]
    assert sorted(stub.trained) == rows == sorted(stub.tested)
    assert files(tmp_path / 'results') == [f'glancebench-mini/{row}.json' for row in rows]
    result = json.loads((tmp_path / 'results/glancebench-mini/table5_uniform/seed1.json')
                        .read_text())
    assert result['config'] == 'configs/avgn/avgn_glancebench-mini.py' and result['seed'] == 1
    assert result['options'] == {'model.temporal_glance': None,
                                 'model.train_cfg.audio_dropout': None}
    assert len(result['cells']) == 3 and not [*tmp_path.rglob('*.tmp')]
    assert '50.0 ± 0.0 (0.400)' in capsys.readouterr().out
    # Again, and as a part of another study: nothing is left to do.
    assert study.main(command) == 0
    assert study.main(['table4', '--only', 'no_audio_dropout', '--seeds', '0', '1', *place]) == 0
    assert len(stub.trained) == len(stub.tested) == 4
    # A lost result costs a test, not a training; a lost checkpoint nothing.
    (tmp_path / 'results/glancebench-mini/no_audio_dropout/seed0.json').unlink()
    (tmp_path / 'trained/glancebench-mini/no_audio_dropout/seed1/epoch_8.pth').unlink()
    assert study.main(command) == 0
    assert len(stub.trained) == 4 and stub.tested[4:] == ['no_audio_dropout/seed0']


def test_a_failure_does_not_keep_the_others(study, place, stub, tmp_path, capsys):
    stub.fail = {'frameexit'}
    assert study.main(['methods', '--only', 'ocsampler', 'uniform', '--seeds', '0', *place]) == 1
    said = capsys.readouterr().err
    assert 'FAILED glancebench-mini/frameexit/seed0: RuntimeError' in said
    assert 'study.log: It is broken' in said and 'status 3' in said
    assert 'FAILED glancebench-mini/ocsampler/seed0: RuntimeError: it begins with' in said
    assert stub.tested == ['uniform/seed0']
    # When it is repaired, the rest is done: OCSampler begins with FrameExit of its seed.
    stub.fail = set()
    assert study.main(['methods', '--only', 'ocsampler', 'uniform', '--seeds', '0', *place]) == 0
    assert stub.trained[-2:] == ['frameexit/seed0', 'ocsampler/seed0']
    work = tmp_path / 'trained/glancebench-mini'
    assert stub.commands[-1][-1] == f'load_from={work}/frameexit/seed0/epoch_8.pth'
    assert files(tmp_path / 'results') == [
        f'glancebench-mini/{row}/seed0.json' for row in ('ocsampler', 'uniform')]


def test_a_training_that_was_stopped_is_resumed(study, place, stub, tmp_path):
    folder = tmp_path / 'trained/glancebench-mini/ocsampler/seed0'
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').touch()
    (folder.parents[1] / 'frameexit/seed0').mkdir(parents=True)
    (folder.parents[1] / 'frameexit/seed0/epoch_8.pth').touch()
    assert study.main(['methods', '--only', 'ocsampler', '--seeds', '0', *place]) == 0
    # From its own weights, not again from those that it began with.
    assert stub.commands[0][-2:] == ['--resume', 'auto']


def test_what_all_rows_begin_with_is_trained_first(study, place, stub, tmp_path, monkeypatch,
                                                  capsys):
    monkeypatch.setattr(study.Start, 'parent', tmp_path / 'start')
    command = ['table5', '--dataset', 'grid-color', '--seeds', '0', '1', *place]
    study.main([*command, '--dry-run'])
    assert capsys.readouterr().out.splitlines()[0] == (
        'python tools/train.py configs/uniform/uniform_grid-color_patches.py --work-dir '
        f'{tmp_path}/start/uniform_grid-color_patches --seed 0')
    assert study.main(command) == 0 and len(stub.trained) == 5
    assert stub.trained[0] == 'start/uniform_grid-color_patches'
    (tmp_path / 'results/grid-color/table5_uniform/seed0.json').unlink()
    (tmp_path / 'trained/grid-color/table5_uniform/seed0/epoch_8.pth').unlink()
    assert study.main(command) == 0 and stub.trained[5:] == ['table5_uniform/seed0']


def test_no_train_writes_what_is_known(study, place, stub, tmp_path, capsys):
    (tmp_path / 'trained/glancebench-mini/no_audio_dropout/seed0').mkdir(parents=True)
    (tmp_path / 'trained/glancebench-mini/no_audio_dropout/seed0/epoch_8.pth').touch()
    page = tmp_path / 'results.md'
    begin = '<!-- study:table5:glancebench-mini -->'
    page.write_text(f'# Mine\n\n{begin}\nold\n<!-- /study -->\n\nBelow.\n')
    for _ in range(2):
        assert study.main(['table5', '--no-train', *place]) == 0
        text = page.read_text()
        assert text.startswith(f'# Mine\n\n{begin}\n\n**When to look') and 'old' not in text
        assert text.endswith('<!-- /study -->\n\nBelow.\n') and text.count(begin) == 1
        assert ' not run |' in text and '50.0 (0.400)' in text
    assert stub.tested == ['no_audio_dropout/seed0'] and not stub.trained
    # A page without the markers gets them at its end.
    study.main(['table4', '--no-train', *place])
    assert page.read_text().count('<!-- study:table4:glancebench-mini -->') == 1


def test_results_of_other_settings_are_refused(study, place, stub, tmp_path):
    study.main(['table5', '--only', 'table5_uniform', '--seeds', '0', *place])
    with pytest.raises(ValueError, match=r'table5_uniform/seed0\.json was made with .* remove it'):
        study.main(['table5', '--seeds', '0', *place, '--cfg-options', 'model.patch_size=32'])


def test_methods_are_drawn(study, place, stub, tmp_path):
    folder = tmp_path / 'trained/glancebench-mini/uniform/seed0'
    folder.mkdir(parents=True)
    (folder / 'epoch_8.pth').touch()
    assert study.main(['methods', '--no-train', *place]) == 0
    assert (tmp_path / 'results/glancebench-mini_methods.png').stat().st_size > 5000
    assert '(results/glancebench-mini_methods.png)' in (tmp_path / 'results.md').read_text()


def test_dry_run_prints_what_trains_the_rows(study, place, tmp_path, capsys):
    study.main(['table7', '--dataset', 'anet', '--dry-run', '--only', 'table7_no_audio', 'avgn',
                '--seeds', '3', *place])
    no_audio, full = capsys.readouterr().out.splitlines()
    assert full == ('python tools/train.py configs/avgn/avgn_mn2_r50_anet.py --work-dir '
                    f'{tmp_path}/trained/anet/avgn/seed3 --seed 3')
    assert no_audio.endswith('--seed 3 --cfg-options model.cls_head.audio_loss_weight=0.0 '
                             'model.train_cfg.audio_dropout=None')
    # A seed that nobody has trained: the folders are those of the project.
    study.main(['methods', '--only', 'ocsampler', '--dry-run', '--seeds', '77'])
    frameexit, ocsampler = capsys.readouterr().out.splitlines()
    assert frameexit.endswith(
        '--work-dir work_dirs/study/glancebench-mini/frameexit/seed77 --seed 77')
    assert ocsampler.endswith('--seed 77 --cfg-options load_from='
                              'work_dirs/study/glancebench-mini/frameexit/seed77/epoch_8.pth')
    # On data whose AVGN is as the paper has it, AVGN stands for that.
    study.main(['table5', '--dataset', 'anet', '--dry-run', '--seeds', '0', *place])
    assert [command.split('/anet/')[1].split('/')[0]
            for command in capsys.readouterr().out.splitlines()] == ['table5_uniform', 'avgn']
    assert not any(tmp_path.iterdir())


def test_what_does_not_apply_is_left_out(study, place, stub, tmp_path, capsys):
    study.main(['improvements', '--no-train', *place])
    said = capsys.readouterr().err
    for row in ('hindsight', 'audio_dropout', 'paper_saliency'):
        assert f'\n{row} is left out: avgn_glancebench-mini.py is so already' in f'\n{said}'
    assert '| hindsight ' not in (tmp_path / 'results.md').read_text()


def test_says_what_does_not_fit(study, capsys):
    for command, message in (
            (['table4', '--only', 'exp6'], 'table4 has no row exp6; its rows are table4_exp1'),
            (['table4', '--dataset', 'imagenet'], 'configs/avgn is for a data set imagenet'),
            (['table4', '--jobs', '0'], '--jobs must be at least 1, got 0')):
        with pytest.raises(SystemExit):
            study.main(command)
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_from_training_to_page(study, place, videos, glancebench, tmp_path):
    """Three rows on two videos, with all kinds of tests, in processes of their own."""
    options = data_options(MINI, videos, glancebench) | {
        'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1}
    settings = ['--seeds', '0', *place, '--cfg-options',
                *(f'{key}={value}' for key, value in options.items())]
    assert study.main(['all', '--only', 'avgn', 'no_audio_dropout', 'uniform', *settings]) == 0
    assert files(tmp_path / 'results/glancebench-mini') == [
        'avgn/seed0.json', 'avgn/seed0_exits.json', 'avgn/seed0_missing.json',
        'avgn/seed0_noise.json', 'avgn/seed0_wrong.json',
        *(f'no_audio_dropout/seed0{measure}.json'
          for measure in ('', '_missing', '_noise', '_patches', '_wrong')),
        'uniform/seed0.json']
    result = json.loads(
        (tmp_path / 'results/glancebench-mini/no_audio_dropout/seed0.json').read_text())
    assert {cell['num_glances'] for cell in result['cells']} == {2, 4, 8, 12, 16}
    page = (tmp_path / 'results.md').read_text()
    assert page.count('<!-- study:') == len(study.STUDIES)
    assert 'costs more' in page or 'one seed' in page
