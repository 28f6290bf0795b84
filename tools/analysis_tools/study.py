"""Train and test the rows of a study; write its table and verdict into docs/results.md.

Usage::

    python tools/analysis_tools/study.py table4 --dataset glancebench-mini --seeds 0 1 2
    python tools/analysis_tools/study.py all --no-train

What is there already is not done again: a row is trained once for all studies that share it, goes
on where it was stopped, and is tested once. The results are small files that belong to the
repository, so that tables can be rewritten without any training.
"""

import argparse
import contextlib
import fcntl
import functools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import solve_exits
import torch
from mmengine.config import Config, DictAction

from avgn_mm.datasets.transforms.cache import MEDIA_CACHE
from avgn_mm.engine.analysis import read_config
from avgn_mm.evaluation.ablations import changed_settings
from avgn_mm.evaluation.exits import read_thresholds
from avgn_mm.evaluation.measures import (
    corrupt_audio,
    load_model,
    measure_budgets,
    measure_exits,
    measure_patches,
)
from avgn_mm.evaluation.studies import (
    CORRUPTIONS,
    EXIT_GLANCES,
    METHODS,
    PAPER,
    Study,
    make_studies,
)
from avgn_mm.evaluation.study_tables import Found, mean_and_error, points_of, study_text
from avgn_mm.visualization import draw_methods

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs'
CHANGES = ('ablations', 'improvements')
# What of a config decides how a training ends.
TRAINS = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
STUDIES = make_studies(sorted(path.stem for path in CONFIGS.glob('avgn/improvements/*.py')))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('study', choices=[*STUDIES, 'all'])
    parser.add_argument('--dataset', default='glancebench-mini',
                        help="as the configs' names end: glancebench-mini, grid-color, anet, ...")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2],
                        help='train and test these; the tables have all that is known')
    parser.add_argument('--only', nargs='+', metavar='ROW',
                        help='train and test these rows alone; the tables have all that is known')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time, 2 by default')
    parser.add_argument('--dry-run', action='store_true',
                        help='print the commands that train what is not trained yet, and stop')
    parser.add_argument('--no-train', action='store_true',
                        help='test what is trained, and write the tables')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study'),
                        help='of the trainings: WORK_DIR/DATASET/ROW/seedN')
    parser.add_argument('--results', type=Path, default=REPO / 'docs/results',
                        help='folder of the result files; beside it the page of this name')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='settings of every row, such as where the data are')
    args = parser.parse_args(argv)
    if find_config('avgn', args.dataset) is None:
        parser.error(f'no config of AVGN in configs/avgn is for a data set {args.dataset}')
    args.all_studies = studies_of(args.dataset)
    args.studies = {name: study for name, study in args.all_studies.items()
                    if args.study in (name, 'all')}
    known = {row: None for study in args.studies.values() for row, _ in study.measures()}
    unknown = set(args.only or ()) - set(known)
    if unknown:
        parser.error(f'{args.study} has no row {", ".join(sorted(unknown))}; its rows are '
                     f'{", ".join(known)}')
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, got {args.jobs}')
    return args


def find_config(method: str, dataset: str) -> Path | None:
    """A method's config for a data set: with small networks, else with the paper's."""
    for networks in ('', f'{METHODS[method].networks}_'):
        path = CONFIGS / method / f'{method}_{networks}{dataset}.py'
        if path.exists():
            return path
    return None


@functools.cache
def options_of(row: str) -> dict:
    """What a row changes in AVGN: nothing if it is a method."""
    for folder in CHANGES:
        path = CONFIGS / 'avgn' / folder / f'{row}.py'
        if path.exists():
            base = Config.fromfile(CONFIGS / 'avgn/avgn_mn2_r50_anet.py')
            return changed_settings(Config.fromfile(path).to_dict(), base.to_dict())
    return {}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep a folder for oneself, until the last process that inherits the descriptor has ended.

    Raises:
        RuntimeError: If another training, maybe one whose study was killed, has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'study.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f'another process trains in {folder}: wait for it or stop it') \
                from None
        yield file.fileno()


def run_training(command: Sequence[str], folder: Path, checkpoint: Path, threads: int,
                 running: set[subprocess.Popen]) -> None:
    """Train; what it says goes to the folder.

    Args:
        command (Sequence[str]): Without the interpreter.
        folder (Path): Work directory.
        checkpoint (Path): What must be there in the end.
        threads (int): Of the process.
        running (set[subprocess.Popen]): Where the process is while it runs.

    Raises:
        RuntimeError: If the training fails, or another process trains there.
    """
    log = REPO / folder / 'study.log'
    start = time.monotonic()
    print(f'$ {shlex.join(["python", *command])}', flush=True)
    # As in tools/quickstart.py: on a CPU glibc gives large tensors back and fetches them again.
    environment = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': str(8 * 1024**3),
                   **os.environ, 'OMP_NUM_THREADS': str(threads)}
    with locked(REPO / folder) as descriptor, open(log, 'a') as file:
        process = subprocess.Popen([sys.executable, *command], cwd=REPO, env=environment,
                                   stdout=file, stderr=subprocess.STDOUT, pass_fds=[descriptor])
        running.add(process)
        try:
            status = process.wait()
        finally:
            running.discard(process)
    missing = not (REPO / checkpoint).exists()
    if status or missing:
        said = log.read_text(errors='replace').strip().splitlines() or ['nothing']
        raise RuntimeError(f'the training ended with status {status}'
                           + (f' and without {checkpoint}' if missing else '')
                           + f'; the end of {log}: {said[-1]}')
    print(f'{folder}: trained in {time.monotonic() - start:.0f} s', flush=True)


class Start:
    """The encoder of patches with which a data set's configs begin, one for all rows and seeds.

    Args:
        args (argparse.Namespace): The command line.
    """

    parent = Path('work_dirs')  # where the configs look for it

    def __init__(self, args: argparse.Namespace) -> None:
        self.config = CONFIGS / f'uniform/uniform_{args.dataset}_patches.py'
        self.folder = self.parent / self.config.stem
        self.options = args.cfg_options

    def is_missing(self) -> bool:
        return self.config.exists() and not (REPO / self.checkpoint).exists()

    @property
    def checkpoint(self) -> Path:
        epochs = read_config(str(self.config), self.options).train_cfg.max_epochs
        return self.folder / f'epoch_{epochs}.pth'

    def command(self) -> list[str]:
        """What trains it, without the interpreter."""
        return training_command(self.config, self.folder, 0, self.options)


def training_command(config: Path, folder: Path, seed: int, options: dict) -> list[str]:
    """A training from where it was stopped, without the interpreter."""
    command = ['tools/train.py', config.relative_to(REPO).as_posix(), '--work-dir', str(folder),
               '--seed', str(seed)]
    if (REPO / folder / 'last_checkpoint').exists():
        command += ['--resume', 'auto']
    return command + options_of_command(options)


def options_of_command(options: dict) -> list[str]:
    return ['--cfg-options', *(f'{k}={v}' for k, v in options.items())] if options else []


class DoesNotApply(Exception):
    """A row means nothing on a data set."""


def differs(cfg: Config, options: dict) -> bool:
    """Whether options change a config; what it does not set is None."""
    def value(key: str) -> object:
        below = cfg
        for name in key.split('.'):
            below = below.get(name) if isinstance(below, dict | Config) else None
        return below

    def plain(setting: object) -> object:
        return setting.removeprefix('avgn_mm.') if isinstance(setting, str) else setting

    return any(plain(value(key)) != plain(setting) for key, setting in options.items())


def studies_of(dataset: str) -> dict[str, Study]:
    """The studies; where AVGN has no audio dropout, it is also the row that stands for that."""
    if differs(Config.fromfile(find_config('avgn', dataset)), options_of(PAPER)):
        return STUDIES
    return {name: study.instead(PAPER, 'avgn') for name, study in STUDIES.items()}


class Trained:
    """A row with a seed: its settings, its training, its tests and their result files.

    Args:
        row (str): Its name.
        seed (int): Of its training.
        args (argparse.Namespace): The command line.

    Raises:
        DoesNotApply: If the method has no config for the data set, or the row is AVGN itself.
    """

    def __init__(self, row: str, seed: int, args: argparse.Namespace) -> None:
        self.row, self.seed = row, seed
        self.method = METHODS[row if row in METHODS else 'avgn']
        self.config = find_config(row if row in METHODS else 'avgn', args.dataset)
        if self.config is None:
            raise DoesNotApply(f'configs/{row} has no config for {args.dataset}')
        changes = options_of(row)
        if changes and not differs(Config.fromfile(self.config), changes):
            raise DoesNotApply(f'{self.config.name} is so already')
        self.options = {**changes, **args.cfg_options}
        self.glances = {line.num_glances for study in args.all_studies.values()
                        for line in study.lines if line.row == row} - {None}
        self.name = f'{args.dataset}/{row}/seed{seed}'
        self.folder = args.work_dir / self.name
        self.results = args.results / args.dataset / row
        self.before = None if self.method.after is None else Trained(self.method.after, seed, args)

    @functools.cached_property
    def checkpoint(self) -> Path:
        """The last epoch's, relative to the repository as long as the work directory is."""
        return self.folder / f'epoch_{self.read_config().train_cfg.max_epochs}.pth'

    def read_config(self) -> Config:
        return read_config(str(self.config), self.options)

    def is_trained(self) -> bool:
        return (REPO / self.checkpoint).exists()

    def check_folder(self) -> None:
        """Hold what was trained, or begun, in the folder against the config as it is now.

        Raises:
            ValueError: If that was with other settings.
        """
        trained = REPO / self.folder / self.config.name  # MMEngine's copy
        if trained.exists():
            then, now = (json.loads(json.dumps({key: cfg.get(key) for key in TRAINS}, default=str))
                         for cfg in (Config.fromfile(trained), self.read_config()))
            changed = [key for key in TRAINS if then[key] != now[key]]
            if changed:
                raise ValueError(f'{self.folder} was trained with another {", ".join(changed)} '
                                 f'than {self.config.name} has now: name another folder in '
                                 '--work-dir, or remove this one')

    def command(self) -> list[str]:
        """What trains it, without the interpreter."""
        options = dict(self.options)
        if self.before is not None and not (REPO / self.folder / 'last_checkpoint').exists():
            options['load_from'] = str(self.before.checkpoint)
        return training_command(self.config, self.folder, self.seed, options)

    def train(self, threads: int, running: set[subprocess.Popen], before: Future | None) -> None:
        """Train to the last epoch; what it says goes to its folder.

        Args:
            threads (int): Of the process.
            running (set[subprocess.Popen]): Where the process is while it runs.
            before (Future, optional): The training of the row that it begins with.

        Raises:
            RuntimeError: If the training fails.
            ValueError: If it was begun with other settings.
        """
        if before is not None and before.exception() is not None:
            raise RuntimeError(f'it begins with {self.before.name}, which failed')
        self.check_folder()
        run_training(self.command(), self.folder, self.checkpoint, threads, running)

    def file(self, measure: str) -> Path:
        """The result file."""
        suffix = '' if measure == 'budgets' else f'_{measure}'
        return self.results / f'seed{self.seed}{suffix}.json'

    def result(self, measure: str) -> dict | None:
        """What an earlier test found, or None.

        Raises:
            ValueError: If it was with other settings.
        """
        path = self.file(measure)
        if not path.exists():
            return None
        result = json.loads(path.read_text())
        made_by = json.loads(json.dumps(self.made_by(measure)))
        found = {key: result.get(key) for key in made_by}
        if found != made_by:
            raise ValueError(f'{path} was made with {found}, not with {made_by}: name other '
                             'folders in --results and --work-dir, or remove it and what was '
                             'trained so')
        return result

    def lacks(self, measure: str, result: dict | None) -> bool:
        """Whether there is no result, or none at a T_G that a study has come to ask for."""
        if not (result and result['num_glances'] and self.glances and measure == 'budgets'):
            return result is None
        most = self.read_config().model.num_frames
        there = {cell['num_glances'] for cell in result['cells']}
        return any(number <= most and number not in there for number in self.glances)

    def made_by(self, measure: str) -> dict:
        made_by = dict(config=self.config.relative_to(REPO).as_posix(), options=self.options,
                       seed=self.seed)
        if measure in CORRUPTIONS:
            made_by['corruption'] = CORRUPTIONS[measure]
        return made_by

    def test(self, measure: str) -> None:
        """Test the trained model and write the result file, whole or not at all."""
        print(f'{self.name}: testing, {measure} ...', flush=True)
        self.check_folder()
        checkpoint = str(REPO / self.checkpoint)
        cfg = self.read_config()
        model = load_model(cfg, checkpoint)
        if measure == 'budgets':
            found = measure_budgets(cfg, model, self.glances, self.method.num_focus,
                                    self.method.chooses)
        elif measure == 'patches':
            found = measure_patches(cfg, model)
        elif measure == 'exits':
            found = measure_exits(cfg, model, self.solve_exits(checkpoint))
        else:
            found = measure_budgets(corrupt_audio(cfg, **CORRUPTIONS[measure]), model,
                                    num_focus=self.method.num_focus)
        cells = found.pop('cells')
        text = json.dumps({**self.made_by(measure), **found}, indent=1, ensure_ascii=False)
        # A cell a line: these files are many, and are read in differences.
        lines = ',\n  '.join(json.dumps(cell) for cell in cells)
        path = self.file(measure)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix('.tmp')
        unfinished.write_text(f'{text[:-2]},\n "cells": [\n  {lines}\n ]\n}}\n')
        unfinished.replace(path)

    def solve_exits(self, checkpoint: str) -> dict:
        """Thresholds of early exit, solved on the training split."""
        path = REPO / self.folder / 'exits.json'
        command = [str(self.config), checkpoint, '--out', str(path), '--num-glances',
                   str(EXIT_GLANCES), *options_of_command(self.options)]
        path.with_suffix('.log').write_text(solve_exits.solve(command))
        MEDIA_CACHE.clear()  # of the training videos: the other trainings want the memory
        return read_thresholds(str(path))


class Runs:
    """All that a command is about, and what went wrong with it.

    Args:
        args (argparse.Namespace): The command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.measures = [*dict.fromkeys(
            pair for study in args.studies.values() for pair in study.measures())]
        self.models: dict[tuple[str, int], Trained] = {}
        self.left_out: set[str] = set()
        self.failures: dict[str, str] = {}
        self.start = Start(args)
        self.running: set[subprocess.Popen] = set()
        for row in dict.fromkeys(row for row, _ in self.measures):
            known = (re.fullmatch(r'seed(\d+)', path.stem)
                     for path in (args.results / args.dataset / row).glob('seed*.json'))
            for seed in sorted({*args.seeds, *(int(match[1]) for match in known if match)}):
                try:
                    self.models[row, seed] = Trained(row, seed, args)
                except DoesNotApply as error:
                    print(f'{row} is left out: {error}', file=sys.stderr)
                    self.left_out.add(row)
                    break

    def found(self) -> Found:
        """The content of the result files, of these and of all other seeds."""
        found = {}
        for row, measure in self.measures:
            by_seed = {seed: model.result(measure) for (name, seed), model in self.models.items()
                       if name == row}
            found[row, measure] = {seed: result for seed, result in by_seed.items() if result}
        return found

    def to_test(self) -> dict[Trained, list[str]]:
        """What has no result yet: models, and how each is to be measured."""
        found = self.found()
        missing = {}
        # Seed by seed: with the first seed there is a first table.
        for (row, seed), model in sorted(self.models.items(), key=lambda item: item[0][1]):
            if seed not in self.args.seeds or self.args.only and row not in self.args.only:
                continue
            measures = [measure for name, measure in self.measures if name == row
                        and model.lacks(measure, found[name, measure].get(seed))]
            if measures:
                missing[model] = measures
        return missing

    @staticmethod
    def to_train(models: Sequence[Trained]) -> list[Trained]:
        """Those without a checkpoint, and what they begin with, in an order that serves them."""
        first, last = {}, {}
        for model in models:
            if model.is_trained():
                continue
            if model.before is not None and not model.before.is_trained():
                first[model.before.name] = model.before
            (first if model.before is None else last).setdefault(model.name, model)
        return [*first.values(), *last.values()]

    def run(self) -> None:
        """Train and test what is missing; a failure does not keep the others."""
        missing = self.to_test()
        if self.args.no_train:
            for model, measures in missing.items():
                if model.is_trained():
                    self.test(model, measures)
            return
        by_name = {model.name: model for model in missing}
        threads = max((os.cpu_count() or 1) // self.args.jobs, 1)
        torch.set_num_threads(threads)
        to_train = self.to_train([*missing])
        with ThreadPoolExecutor(self.args.jobs) as pool, self.stopped_with(pool):
            futures: dict[str, Future] = {}
            if self.make_start(to_train):
                for model in to_train:
                    before = futures.get(model.before.name) if model.before is not None else None
                    futures[model.name] = pool.submit(model.train, threads, self.running, before)
            for name, model in by_name.items():
                if name not in futures and model.is_trained():
                    self.test(model, missing[model])
            names = {future: name for name, future in futures.items()}
            for future in as_completed(names):
                name = names[future]
                if future.exception() is not None:
                    self.fail(name, future.exception())
                elif name in by_name:
                    self.test(by_name[name], missing[by_name[name]])

    def make_start(self, to_train: Sequence[Trained]) -> bool:
        """Train what they begin with, if there is such a thing; whether they can begin."""
        try:
            if to_train and self.start.is_missing():
                run_training(self.start.command(), self.start.folder, self.start.checkpoint,
                             os.cpu_count() or 1, self.running)
        except RuntimeError as error:
            self.fail(f'{self.start.config.stem}, with which {len(to_train)} trainings begin',
                      error)
            return False
        return True

    @contextlib.contextmanager
    def stopped_with(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """End the trainings, and begin no other, when this process is told to end."""
        try:
            yield
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in [*self.running]:
                process.terminate()
            raise

    def test(self, model: Trained, measures: Sequence[str]) -> None:
        for measure in measures:
            try:
                model.test(measure)
            except Exception as error:  # whatever it is, a night's other rows go on
                traceback.print_exc()
                self.fail(f'{model.name}, {measure}', error)

    def fail(self, name: str, error: BaseException) -> None:
        self.failures[name] = f'{type(error).__name__}: {error}'
        print(f'{name} failed: {error}', file=sys.stderr, flush=True)


def draw(study: Study, found: Found, filename: Path) -> bool:
    """Draw the lines' points with their standard errors; whether there are any."""
    points, metric = [], None
    for line in study.lines:
        for result in found.get((line.row, line.measure), {}).values():
            metric = result['metric']
        for point in points_of(line, found).values():
            mean, error = mean_and_error([*point.accuracy.values()])
            points.append(dict(name=line.name, gmacs=point.cost, metrics={metric: mean},
                               error=error))
    if points:
        filename.parent.mkdir(parents=True, exist_ok=True)
        draw_methods(points, metric, str(filename))
    return bool(points)


def write_block(page: Path, name: str, dataset: str, text: str) -> None:
    """Put a study's text between its markers; at the end of the page if they are not there.

    Raises:
        ValueError: If the second one is missing.
    """
    begin, end = f'<!-- study:{name}:{dataset} -->', '<!-- /study -->'
    block = f'{begin}\n\n{text}\n\n{end}'
    before = page.read_text() if page.exists() else '# Results\n'
    # Never beyond the next study's begin.
    pattern = re.compile(f'{re.escape(begin)}(?:(?!<!-- study:).)*?{re.escape(end)}', re.DOTALL)
    after = pattern.sub(lambda _: block, before)
    if not pattern.search(before):
        if begin in before:
            raise ValueError(f'{page} has {begin}, but no {end} that belongs to it')
        after = f'{before.rstrip()}\n\n## {name}, {dataset}\n\n{block}\n'
    page.parent.mkdir(parents=True, exist_ok=True)
    unfinished = page.with_suffix('.tmp')
    unfinished.write_text(after)
    unfinished.replace(page)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    runs = Runs(args)
    if args.dry_run:
        to_train = runs.to_train([*runs.to_test()])
        starts = [runs.start] if to_train and runs.start.is_missing() else []
        for model in [*starts, *to_train]:
            print(shlex.join(['python', *model.command()]))
        return 0
    runs.run()
    found = runs.found()
    page = args.results.with_name(f'{args.results.name}.md')
    for name, study in args.studies.items():
        study = study.without(runs.left_out)
        text = study_text(study, found, args.dataset)
        picture = args.results / f'{args.dataset}_{name}.png'
        if study.picture and draw(study, found, picture):
            text += (f'\n\n![Accuracy against GMACs on {args.dataset}]'
                     f'({args.results.name}/{picture.name})')
        text += f'\n\n`python tools/analysis_tools/study.py {name} --dataset {args.dataset}`'
        write_block(page, name, args.dataset, text)
        print(f'\n{text}')
    print(f'\nWritten to {page}')
    for name, error in runs.failures.items():
        print(f'FAILED {name}: {error}', file=sys.stderr)
    return 1 if runs.failures else 0


if __name__ == '__main__':
    # As for Ctrl-C: the trainings are to end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
