"""GlanceBench-mini from nothing to a table and a picture: what ``make quickstart`` runs.

Makes the data, trains AVGN and the uniform counterpart with ``tools/train.py``, tests both at
several k on the held-out split and draws three of its videos. What is done already is not done
again; remove ``--work-dir`` to start over.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner, find_latest_checkpoint

from avgn_mm.engine.launch import build_runner
from avgn_mm.visualization import draw_glances

REPO = Path(__file__).resolve().parents[1]
DATA = 'data/glancebench-mini'
CONFIGS = {
    'AVGN': 'configs/avgn/avgn_glancebench-mini.py',
    'uniform': 'configs/uniform/tsn_glancebench-mini.py',
}


def run_tool(*arguments: str) -> None:
    """Run one of the repository's tools and show its output as it comes."""
    print(f'\n$ python {" ".join(arguments)}', flush=True)
    # On a CPU glibc would give each large tensor back to the system and fetch it again, page by
    # page, a tenth of the training time.
    keep_memory = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': str(8 * 1024**3)}
    subprocess.run([sys.executable, *arguments], cwd=REPO, check=True,
                   env={**os.environ, **keep_memory})


def budget_options(name: str, num_focus: int) -> dict:
    """The settings that make a model look at k frames."""
    if name == 'AVGN':
        return {'model.test_cfg.num_focus': num_focus}
    return {'test_dataloader.dataset.pipeline.1.num_frames': num_focus}


def build_test_runner(name: str, work_dir: Path, num_focus: int) -> Runner:
    """Build the runner that ``tools/test.py CONFIG CKPT --cfg-options ...`` would."""
    cfg = Config.fromfile(REPO / CONFIGS[name])
    cfg.merge_from_dict({
        **budget_options(name, num_focus),
        'work_dir': str(work_dir / name / f'test_k{num_focus}'),
        'load_from': find_latest_checkpoint(str(work_dir / name)),
        'launcher': 'none',
        'log_level': 'WARNING',
        # In this process, so that the videos decoded for one k serve the next.
        'test_dataloader.num_workers': 0,
        'experiment_name': f'quickstart_{name}_k{num_focus}',
    })
    return build_runner(cfg)


def draw(runner: Runner, filename: Path, num_videos: int = 3) -> None:
    """Draw the first test video of each of the first classes."""
    dataset = runner.test_dataloader.dataset
    labels = [dataset.get_data_info(i)['label'] for i in range(len(dataset))]
    videos = [dataset[labels.index(label)] for label in range(num_videos)]
    runner.model.eval()
    with torch.no_grad():
        samples = runner.model.test_step(pseudo_collate([
            dict(inputs=dict(video['inputs']), data_samples=video['data_samples'])
            for video in videos]))
    names = (REPO / DATA / 'classes.txt').read_text().splitlines()
    draw_glances([video['inputs'] for video in videos], samples, names, str(filename))


def print_table(rows: list[dict]) -> None:
    """Print the results as a Markdown table."""
    columns = {
        'model': 'model', 'k': 'k', 'acc/top1': 'top-1 %', 'saliency/AP': 'saliency AP',
        'saliency/event_rate': 'event rate', 'patch/hit_rate': 'patch hit rate',
        'patch/centre_hit_rate': 'centre crop hit rate'}
    print('\n| ' + ' | '.join(columns.values()) + ' |')
    print('|' + ' --- |' * len(columns))
    for row in rows:
        cells = [row.get(key, '-') for key in columns]
        cells[2] = 100 * cells[2]
        print('| ' + ' | '.join(
            c if isinstance(c, str) else f'{c:.1f}' if i == 2 else f'{c:.3g}'
            for i, c in enumerate(cells)) + ' |')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs/quickstart')
    parser.add_argument('--num-focus', type=int, nargs='+', default=[2, 4, 8], metavar='k')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    start = time.perf_counter()
    work_dir = args.work_dir.resolve()

    run_tool('tools/data/glancebench/generate.py', '--size', 'mini', '--out', DATA)
    for name, config in CONFIGS.items():
        run_tool('tools/train.py', config, '--work-dir', str(work_dir / name), '--resume', 'auto',
                 '--seed', str(args.seed))

    rows = []
    for name in CONFIGS:
        for num_focus in args.num_focus:
            print(f'Testing {name} at k={num_focus} ...', flush=True)
            runner = build_test_runner(name, work_dir, num_focus)
            rows.append(dict(model=name, k=num_focus, **runner.test()))
            if name == 'AVGN' and num_focus == 4:
                draw(runner, work_dir / 'glances.png')
    (work_dir / 'table.json').write_text(json.dumps(rows, indent=2))
    print_table(rows)
    print(f'\nTable: {work_dir}/table.json  picture: {work_dir}/glances.png  '
          f'({(time.perf_counter() - start) / 60:.1f} minutes)')


if __name__ == '__main__':
    main()
