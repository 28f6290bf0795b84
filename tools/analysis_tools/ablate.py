"""Train and test the rows of an ablation table (the paper's Tables 4 to 7) and print the table.

Usage::

    python tools/analysis_tools/ablate.py 4 --dataset glancebench-mini
    python tools/analysis_tools/ablate.py 7 --dataset anet --dry-run

A row is the data set's AVGN with the settings of a config of configs/avgn/ablations. Each is
trained once by ``tools/train.py``; one pass over the test videos then gives every k. What is there
already, from a run that was stopped or from another table with the same row, is not done again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from avgn_mm.engine.analysis import markdown_table
from avgn_mm.engine.launch import build_runner
from avgn_mm.evaluation.ablations import TABLES, PatchReadout, Row, Table, changed_settings
from avgn_mm.evaluation.budgets import check_budgets, sweep

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs/avgn'
DATASETS = {
    'anet': 'avgn_mn2_r50_anet.py',
    'fcvid': 'avgn_mn2_r50_fcvid.py',
    'minik': 'avgn_mn2_r50_minik.py',
    'glancebench': 'avgn_mn2_r50_glancebench.py',
    'glancebench-mini': 'avgn_glancebench-mini.py',
}
# Of the data set's own test, beside the accuracy at every k, where it has them.
EXTRAS = {'saliency/AP': 'saliency AP', 'patch/hit_rate': 'patch hit rate'}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('table', type=int, choices=TABLES, help='number of the table in the paper')
    parser.add_argument('--dataset', choices=DATASETS, default='glancebench-mini')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--num-focus', type=int, nargs='+', default=[1, 2, 4, 8], metavar='k',
                        help='columns of the table; every k is in the results')
    parser.add_argument('--only', nargs='+', metavar='ROW', help='some rows of the table alone')
    parser.add_argument('--work-dir', type=Path, help='by default work_dirs/ablate/DATASET/seedN')
    parser.add_argument('--dry-run', action='store_true',
                        help='print the commands that train what is not trained yet, and stop')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='settings of every row')
    args = parser.parse_args(argv)
    known = [row.name for row in TABLES[args.table].rows]
    unknown = set(args.only or ()) - set(known)
    if unknown:
        parser.error(f'Table {args.table} has no row {", ".join(sorted(unknown))}; its rows are '
                     f'{", ".join(known)}')
    if args.work_dir is None:
        args.work_dir = Path(f'work_dirs/ablate/{args.dataset}/seed{args.seed}')
    return args


class Ablation:
    """A row's model: its settings, its folder, its training and its test.

    Args:
        row (Row): The row.
        args (argparse.Namespace): The command line.
    """

    def __init__(self, row: Row, args: argparse.Namespace) -> None:
        self.options = {}
        if row.ablation is not None:
            self.options = changed_settings(
                Config.fromfile(CONFIGS / f'ablations/{row.ablation}.py').to_dict(),
                Config.fromfile(CONFIGS / DATASETS['anet']).to_dict())
        self.options |= args.cfg_options
        self.config = CONFIGS / DATASETS[args.dataset]
        self.seed = args.seed
        self.folder = (args.work_dir / (row.ablation or 'full')).resolve()
        self.cfg = Config.fromfile(self.config)
        self.cfg.merge_from_dict(self.options)
        self.checkpoint = self.folder / f'epoch_{self.cfg.train_cfg.max_epochs}.pth'

    def command(self) -> list[str]:
        """What trains it, without the interpreter."""
        command = ['tools/train.py', self.config.relative_to(REPO).as_posix(), '--work-dir',
                   str(self.folder), '--resume', 'auto', '--seed', str(self.seed)]
        if self.options:
            command += ['--cfg-options', *(f'{k}={v}' for k, v in self.options.items())]
        return command

    def train(self) -> None:
        """Train to the last epoch, unless it is there."""
        if self.checkpoint.exists():
            return
        print(f'\n$ python {" ".join(self.command())}', flush=True)
        # As in tools/quickstart.py: on a CPU glibc gives large tensors back and fetches them again.
        keep_memory = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': str(8 * 1024**3)}
        subprocess.run([sys.executable, *self.command()], cwd=REPO, check=True,
                       env={**keep_memory, **os.environ})
        if not self.checkpoint.exists():
            raise FileNotFoundError(f'the training ended without {self.checkpoint}')

    def results(self, patches_alone: bool) -> dict:
        """Train and test, or read what an earlier run found.

        Args:
            patches_alone (bool): Whether to classify the patches alone, as Table 6 does.

        Raises:
            ValueError: If the earlier run had other settings.
        """
        path = self.folder / ('results_patches.json' if patches_alone else 'results.json')
        made_by = dict(config=self.config.name, options=self.options, seed=self.seed)
        if path.exists():
            results = json.loads(path.read_text())
            found = {key: results[key] for key in made_by}
            if found != json.loads(json.dumps(made_by)):
                raise ValueError(f'{path} was made with {found}, not with {made_by}: name another '
                                 '--work-dir, or remove it')
            return results
        self.train()
        results = {**made_by, **self.test(patches_alone)}
        unfinished = path.with_suffix('.tmp')
        unfinished.write_text(json.dumps(results, indent=2) + '\n')
        unfinished.replace(path)
        return results

    def test(self, patches_alone: bool) -> dict:
        """The config's own test, then every k in one pass."""
        print(f'Testing {self.checkpoint} ...', file=sys.stderr, flush=True)
        cfg = self.cfg.copy()
        cfg.update(load_from=str(self.checkpoint), launcher='none', log_level='ERROR',
                   work_dir=str(self.folder / 'test'),
                   experiment_name=f'{self.folder.name}_{id(self)}')
        # In this process, so that the videos decoded for the first pass serve the second.
        cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
        runner = build_runner(cfg)
        metrics = {name: float(value) for name, value in runner.test().items()}
        model = runner.model.eval()
        if patches_alone:
            model.cls_head.classifier = PatchReadout(model.cls_head)
        num_glances = model.test_cfg.num_glances
        budgets = check_budgets(model, {num_glances: range(1, model.num_frames + 1)})
        swept = sweep(cfg, model, budgets, data_loader=runner.test_dataloader)
        cells = swept['cells']
        if patches_alone:  # what they cost was not counted
            cells = [{name: value for name, value in cell.items() if name != 'gmacs'}
                     for cell in cells]
        return dict(num_videos=swept['num_videos'], metric=swept['metric'], cells=cells,
                    num_focus=model.test_cfg.num_focus, metrics=metrics)


def format_table(table: Table, rows: Sequence[Row], results: Sequence[dict],
                 num_focus: Sequence[int], dataset: str) -> str:
    """The table as the paper has it, then the paper's own figures, then where and when.

    Args:
        table (Table): The table.
        rows (Sequence[Row]): Those of its rows that were run.
        results (Sequence[dict]): What each came to.
        num_focus (Sequence[int]): The k of the columns.
        dataset (str): Name.
    """
    metric = results[0]['metric']
    with_cost = any(row.paper_gflops for row in rows)
    in_paper = [k for k in num_focus if any(k in row.paper for row in rows)]
    extras = [name for name in EXTRAS if any(name in found['metrics'] for found in results)]
    header = list(table.header)
    for ks, mark, cost in ((num_focus, '', 'GMACs'), (in_paper, 'paper: ', 'paper: GFs')):
        for k in ks:
            header += [f'{mark}k={k}', cost] if with_cost else [f'{mark}k={k}']
    header += [EXTRAS[name] for name in extras]
    lines = [header]
    for row, found in zip(rows, results):
        cells = {cell['num_focus']: cell for cell in found['cells']}
        line = list(row.titles)
        for k in num_focus:
            line.append(f'{cells[k][metric]:.1%}')
            if with_cost:
                line.append(f'{cells[k]["gmacs"]:.4g}')
        for k in in_paper:
            line.append(f'{row.paper[k]:.1f}%')
            if with_cost:
                line.append(f'{row.paper_gflops[k]:.1f}')
        line += [f'{found["metrics"][name]:.3f}' if name in found['metrics'] else '-'
                 for name in extras]
        lines.append(line)
    text = (f'{table.caption}\n\n{markdown_table(lines)}\n\nHere: {metric} on {dataset}, '
            f'{results[0]["num_videos"]} videos, seed {results[0]["seed"]}. Paper: mAP on '
            'ActivityNet.')
    if extras:
        text += f' {" and ".join(EXTRAS[name] for name in extras)}: at k={results[0]["num_focus"]}.'
    return text


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    table = TABLES[args.table]
    rows = [row for row in table.rows if args.only is None or row.name in args.only]
    ablations = [Ablation(row, args) for row in rows]
    num_frames = ablations[0].cfg.model.num_frames
    for k in args.num_focus:
        if not 1 <= k <= num_frames:
            raise ValueError(f'--num-focus must be in 1..{num_frames}, got {k}')
    if args.dry_run:
        for ablation in ablations:
            if not ablation.checkpoint.exists():
                print('python', *ablation.command())
        return
    results = [ablation.results(table.patches_alone) for ablation in ablations]
    text = f'Table {args.table}. ' + format_table(
        table, rows, results, sorted(set(args.num_focus)), args.dataset)
    path = args.work_dir / f'table{args.table}.md'
    path.write_text(text + '\n')
    print(f'\n{text}\n\nWritten to {path}')


if __name__ == '__main__':
    main()
