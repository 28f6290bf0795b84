"""Hold the reading of video files against odd, broken and randomly damaged ones.

``python tools/robustness.py`` prints a table: case, what is expected, what came, seconds; then what
became of randomly damaged files. It ends with an error where anything is not as expected.
``--soak N`` adds N samples through decoding and transforms with what the process holds meanwhile;
``--training CONFIG`` a training with and without bad files among its videos.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # what is run are the tests' own cases
os.environ.setdefault('OMP_NUM_THREADS', '1')

from mmengine.config import Config, DictAction  # noqa: E402

from avgn_mm.datasets.bad_files import read_bad_files  # noqa: E402
from tests.robustness.bad_set import spoil  # noqa: E402
from tests.robustness.fuzz import VERDICTS  # noqa: E402
from tests.robustness.media_cases import CASES  # noqa: E402
from tests.robustness.soak import Usage, soak  # noqa: E402
from tests.robustness.suite import run_case, run_mutants, warm_up  # noqa: E402

SOAK_START = 2000


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Read odd and broken video files')
    parser.add_argument('--backend', default='pyav', choices=['pyav', 'auto'], help='of AVInit')
    parser.add_argument('--mutants', type=int, default=200, help='randomly damaged files')
    parser.add_argument('--soak', type=int, default=0, metavar='N',
                        help='read N samples of a mix of good and bad files')
    parser.add_argument('--training', metavar='CONFIG',
                        help='instead of all that, train with and without bad files')
    parser.add_argument('--bad-share', type=float, default=0.2, help='of the training videos')
    parser.add_argument('--seed', type=int, default=0, help='of the training and its bad files')
    parser.add_argument('--work-dir', default='work_dirs/robustness', help='of the training')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='of the training')
    return parser.parse_args()


def print_cases(backend: str) -> int:
    """Print the table of cases; returns how many went wrong."""
    failed = skipped = 0
    print(f'{"case":44} {"expected":24} {"got":24} seconds')
    for case in CASES:
        expected = 'an error' if isinstance(case.expected, str) else 'the right answer'
        if case.missing_codecs:
            skipped += 1
            print(f'{case.name:44} {expected:24} skipped: PyAV lacks '
                  + ', '.join(case.missing_codecs))
            continue
        outcome, wrong = run_case(case, backend)
        got = expected if wrong is None else f'WRONG: {wrong}'
        print(f'{case.name:44} {expected:24} {got:24} {outcome.seconds:7.2f}', flush=True)
        failed += wrong is not None
    print(f'{len(CASES)} cases, {failed} not as expected, {skipped} skipped\n')
    return failed


def print_mutants(number: int, backend: str) -> int:
    """Print what became of damaged files; returns how many went wrong."""
    start = time.perf_counter()
    counts, failed = Counter(), 0
    for mutant, verdict in run_mutants(number, backend):
        counts[verdict if verdict in VERDICTS else 'WRONG'] += 1
        if verdict not in VERDICTS:
            failed += 1
            print(f'WRONG: {mutant.damage}: {verdict}')
    seconds = time.perf_counter() - start
    print(f'{number} randomly damaged files in {seconds:.0f} s: {counts["right"]} read right, '
          f'{counts["held"]} with frames that stand for damaged ones after them, '
          f'{counts["error"]} errors that name the file, {counts["undetected"]} with wrong frames '
          f'that nothing gives away, {failed} crashed, hung, leaked or misbehaved\n')
    # 1 in 20: damage that leaves a valid file of another content.
    return failed + (counts['undetected'] > number / 20)


def print_soak(number: int) -> int:
    """Print what the process holds; returns whether it grows."""
    def report(usage: Usage) -> None:
        print(f'{usage.samples:6} samples: {usage.resident_bytes / 2**20:6.1f} MiB resident, '
              f'{usage.open_files} open files', flush=True)

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        usages = soak(Path(folder), number, report, every=max(1, min(SOAK_START, number // 10)))
    first = next(usage for usage in usages if usage.samples >= min(SOAK_START, number / 10))
    growth = usages[-1].resident_bytes / first.resident_bytes - 1
    files = usages[-1].open_files - first.open_files
    print(f'{time.perf_counter() - start:.0f} s; from {first.samples} to {number} samples memory '
          f'grew by {growth:.1%} (at most 5 %), open files by {files}')
    return int(growth > 0.05) + int(files > 0)


def print_training(args: argparse.Namespace) -> int:
    """Train on a set with bad files, and on the same without them; returns what went wrong."""
    cfg = Config.fromfile(args.training)
    cfg.merge_from_dict(args.cfg_options or {})
    data = cfg.train_dataloader.dataset
    root = Path(data.pop('data_root', None) or '')
    work_dir = Path(args.work_dir)
    spoiled = spoil(root / data.ann_file, root / data.data_prefix.video, work_dir / 'videos',
                    share=args.bad_share, seed=args.seed)
    data.pop('event_file', None)  # GlanceBench's truth, by path; training needs none
    data.update(type='AudioVisualDataset', data_prefix=dict(video=''),
                max_bad_share=args.bad_share + 0.05, allow_outside=True)
    accuracy = []
    for name, ann_file in (('with', spoiled.with_bad), ('without', spoiled.without_bad)):
        folder = work_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        data.ann_file = str(ann_file)
        cfg.dump(folder / 'config.py')
        subprocess.run([sys.executable, str(ROOT / 'tools/train.py'), str(folder / 'config.py'),
                        '--work-dir', str(folder), '--seed', str(args.seed)], check=True)
        scalars = sorted(folder.glob('*/vis_data/scalars.json'))[-1].read_text().splitlines()
        accuracy += [json.loads(line)['acc/top1'] for line in scalars if 'acc/top1' in line][-1:]
    listed = {record['filename'] for record in read_bad_files(work_dir / 'with/bad_files.jsonl')}
    bad = {str(path) for path in spoiled.bad}
    print(f'{len(bad)} of {spoiled.number} training videos are bad; listed: {len(listed & bad)} of '
          f'them and {len(listed - bad)} others')
    print(f'top-1 on the validation set: trained with them {accuracy[0]:.4f}, '
          f'without them {accuracy[1]:.4f}')
    return int(listed != bad)


def main() -> int:
    args = parse_args()
    if args.training:
        return print_training(args)
    warm_up()
    failed = print_cases(args.backend) + print_mutants(args.mutants, args.backend)
    if args.soak:
        failed += print_soak(args.soak)
    return min(failed, 1)


if __name__ == '__main__':
    sys.exit(main())
