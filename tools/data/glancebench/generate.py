"""Generate GlanceBench: ``python tools/data/glancebench/generate.py --size mini --out FOLDER``."""

import argparse
import dataclasses
import os

from avgn_mm.datasets.glancebench import SPECS, generate


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Generate the GlanceBench videos and lists')
    parser.add_argument('--size', choices=sorted(SPECS), default='mini')
    parser.add_argument('--out', help='folder to write, data/glancebench-SIZE by default')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=min(8, os.cpu_count() or 1))
    for flag in ('--num-train', '--num-val', '--num-test'):
        parser.add_argument(flag, type=int, help='videos, if not as many as usual')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    counts = {f'num_{split}': getattr(args, f'num_{split}') for split in ('train', 'val', 'test')}
    counts = {name: count for name, count in counts.items() if count is not None}
    out_dir = args.out or f'data/glancebench-{args.size}'
    generate(dataclasses.replace(SPECS[args.size], **counts), out_dir, args.seed, args.workers)
    print(f'GlanceBench ({args.size}) is in {out_dir}')


if __name__ == '__main__':
    main()
