"""The study tool: what it trains, in which order, what it keeps, and the page that it writes."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
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


class Process:
    """One that has ended."""

    def __init__(self, status):
        self.status = status

    def wait(self):
        return self.status


@pytest.fixture
def stub(study, monkeypatch):
    """In place of training and testing; what was done, and rows whose training shall fail."""
    done = SimpleNamespace(trained=[], tested=[], fail=set(), commands=[], lock=threading.Lock())

    def train(command, stdout, **_):
        folder = Path(command[command.index('--work-dir') + 1])
        with done.lock:
            done.commands.append(command)
            done.trained.append(f'{folder.parent.name}/{folder.name}')
        if done.fail & {folder.name, folder.parent.name}:
            stdout.write('first\nIt is broken\n')
            stdout.flush()
            return Process(3)
        (folder / 'epoch_8.pth').touch()
        return Process(0)

    def measure(cfg, model, num_glances=(), *_, **__):
        cells = [dict(num_glances=number, num_focus=k, **{'acc/top1': k / 8, 'gmacs': k / 10})
                 for number in sorted({12, *num_glances}) for k in (1, 2, 4)]
        return dict(num_videos=2, metric='acc/top1', num_glances=12, num_focus=4,
                    metrics={'acc/top1': 0.5}, cells=cells)

    def load(cfg, checkpoint):
        done.tested.append('/'.join(Path(checkpoint).parts[-3:-1]))

    monkeypatch.setattr(study, 'subprocess', SimpleNamespace(Popen=train, STDOUT=None))
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
    # Without it no training begins, but what is trained is tested, and the page is written.
    (tmp_path / 'start/uniform_grid-color_patches/epoch_8.pth').unlink()
    (tmp_path / 'trained/grid-color/avgn/seed0/epoch_8.pth').unlink()
    for row in ('avgn', 'table5_uniform'):
        (tmp_path / f'results/grid-color/{row}/seed0.json').unlink()
    stub.fail = {'uniform_grid-color_patches'}
    assert study.main(command) == 1 and stub.tested[-1] == 'table5_uniform/seed0'
    assert 'patches, with which 1 trainings begin: RuntimeError: the training ended with' in (
        capsys.readouterr().err)


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


def test_a_page_with_half_a_block_is_left_alone(study, place, stub, tmp_path):
    page = tmp_path / 'results.md'
    text = ('<!-- study:table5:glancebench-mini -->\n\nMine.\n\n'
            '<!-- study:table4:glancebench-mini -->\nold\n<!-- /study -->\n')
    page.write_text(text)
    with pytest.raises(ValueError, match=r'results\.md has <!-- study:table5:.* but no <!-- /st'):
        study.main(['table5', '--no-train', *place])
    assert page.read_text() == text


def test_tables_have_all_seeds_that_are_known(study, place, stub, tmp_path):
    for seed in ('4', '1'):
        assert study.main(['table5', '--seeds', seed, *place]) == 0
    assert [folder[-1] for folder in stub.trained] == ['4', '4', '1', '1']
    assert 'over seeds 1, 4,' in (tmp_path / 'results.md').read_text()
    # A lost result of a seed that was not asked for is no reason to test anything.
    (tmp_path / 'results/glancebench-mini/table5_uniform/seed4.json').unlink()
    assert study.main(['table5', '--seeds', '1', *place]) == 0 and len(stub.tested) == 4


def test_what_a_study_has_come_to_ask_for_is_tested(study, place, stub, tmp_path):
    command = ['few_glances', '--only', 'table4_exp2', '--seeds', '0', *place]
    study.main(command)
    path = tmp_path / 'results/glancebench-mini/table4_exp2/seed0.json'
    result = json.loads(path.read_text())
    assert [cell['num_glances'] for cell in result['cells']] == [2] * 3 + [12] * 3
    result['cells'] = result['cells'][3:]
    path.write_text(json.dumps(result))
    study.main(command)
    study.main(command)
    assert stub.tested == ['table4_exp2/seed0'] * 2 and len(stub.trained) == 1


def test_results_of_other_settings_are_refused(study, place, stub, tmp_path, monkeypatch):
    study.main(['table5', '--only', 'table5_uniform', '--seeds', '0', *place])
    with pytest.raises(ValueError, match=r'table5_uniform/seed0\.json was made with .* remove it'):
        study.main(['table5', '--seeds', '0', *place, '--cfg-options', 'model.patch_size=32'])
    study.main(['audio', '--only', 'avgn', '--seeds', '0', *place])
    monkeypatch.setitem(study.CORRUPTIONS, 'noise', dict(mode='noise', snr_db=-20.0))
    with pytest.raises(ValueError, match=r'seed0_noise\.json was made with .*corruption'):
        study.main(['audio', '--no-train', *place])


def test_trainings_with_other_settings_are_refused(study, place, stub, tmp_path, capsys):
    """By MMEngine's copy of the config, before anything is tested or resumed."""
    folder = tmp_path / 'trained/glancebench-mini/table5_uniform/seed0'
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').touch()
    options = study.options_of('table5_uniform')
    for copy, message in (({**options, 'model.patch_size': 32}, 'with another model than'),
                          ({**options, 'train_cfg.max_epochs': 9}, 'with another train_cfg than'),
                          (options, None)):
        study.read_config(MINI, copy).dump(folder / Path(MINI).name)
        command = ['table5', '--only', 'table5_uniform', '--seeds', '0', *place]
        assert study.main(command) == (message is not None)
        assert (message or '') in capsys.readouterr().err
    assert stub.trained == stub.tested == ['table5_uniform/seed0']


def test_no_two_processes_train_in_one_folder(study, place, stub, tmp_path, capsys):
    folder = tmp_path / 'trained/glancebench-mini/table5_uniform/seed0'
    folder.mkdir(parents=True)
    with open(folder / 'study.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert study.main(['table5', '--only', 'table5_uniform', '--seeds', '0', *place]) == 1
    assert f'another process trains in {folder}: wait' in capsys.readouterr().err
    assert not stub.trained


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ends_its_trainings_when_it_is_ended(number, place, tmp_path):
    """And begins no other; what was begun can go on."""
    tool = ROOT / 'tools/analysis_tools/study.py'
    command = [sys.executable, str(tool), 'table5', '--jobs', '1', '--seeds', '0', *place]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline().startswith('$ python tools/train.py')
        time.sleep(0.5)
        os.kill(process.pid, number)
        assert process.wait(timeout=60) != 0
        assert '$ python' not in process.stdout.read()
    log, = tmp_path.rglob('study.log')
    with open(log.parent / 'study.lock', 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
