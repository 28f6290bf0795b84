"""Classify video files: ``python tools/infer.py VIDEO|FOLDER|PATTERN --config C --weights W``.

Prints a line a video. With ``--out DIR`` each result is a line of JSON in DIR/results.jsonl,
written as soon as it is there; the same command goes on where an earlier one was stopped. With
``--report`` DIR/report.html shows all of them in a browser.

With ``--highlights N`` it finds the N best moments of each video instead, of any length, and writes
DIR/highlights.jsonl; ``--cut FOLDER`` writes each moment to a file.
"""

import argparse
import json
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.hub import get_config

from avgn_mm.apis import AVInferencer, HighlightFinder, Highlights, VideoResult, cut_clip
from avgn_mm.datasets.transforms import MediaReadError
from avgn_mm.visualization import write_report


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Classify video files')
    parser.add_argument('inputs', nargs='+', help='files, folders or patterns')
    parser.add_argument('--config', required=True,
                        help="path of a config, or its name: 'avgn_mm::FOLDER/FILE.py'")
    parser.add_argument('--weights', required=True, help='checkpoint')
    parser.add_argument('--num-glances', type=int, help='T_G')
    parser.add_argument('--num-focus', type=int, help='k')
    parser.add_argument('--sampling', choices=['centre', 'cheapest'],
                        help='which frame of each bin: cheapest to decode, a keyframe if possible')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--label-file', help='names of the classes, one a line')
    parser.add_argument('--out', type=Path, help='folder for results.jsonl')
    parser.add_argument('--report', action='store_true',
                        help='also write report.html there, on all videos of results.jsonl')
    parser.add_argument('--highlights', type=int, metavar='N',
                        help='find the N best moments instead of labels')
    parser.add_argument('--moment-seconds', type=float, default=4.0, help='their length')
    parser.add_argument('--cut', type=Path, metavar='FOLDER',
                        help='write them to FOLDER/VIDEO_01.mp4, ... (1: the best)')
    parser.add_argument('--copy', action='store_true',
                        help='cut without encoding again, from the keyframe before a moment on')
    parser.add_argument('--device', help='by default a GPU if there is one')
    parser.add_argument('--threads', type=int, help='on the CPU')
    parser.add_argument('--channels-last', action='store_true',
                        help='run the encoders with channels last')
    parser.add_argument('--bf16', action='store_true', help='run the encoders in bfloat16')
    parser.add_argument('--compile', action='store_true',
                        help='compile the encoders, which takes minutes, once')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(argv)
    if args.report and args.out is None:
        parser.error('--report needs --out')
    if args.highlights is None and (args.cut or args.copy):
        parser.error('--cut and --copy go with --highlights')
    if args.highlights is not None and (args.report or args.num_glances or args.num_focus):
        parser.error('--highlights glances at all frames and has no report: leave out '
                     '--num-glances, --num-focus and --report')
    return args


def fast_options(args: argparse.Namespace) -> dict | None:
    """What is asked of ``accelerate``; None where nothing is."""
    if not (args.channels_last or args.bf16 or args.compile):
        return None
    return dict(channels_last=args.channels_last, dtype='bf16' if args.bf16 else None,
                compile=args.compile)


def read_done(path: Path) -> set[str]:
    """The videos that a results file answers; a line that was cut off is taken away from it."""
    if not path.exists():
        return set()
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
    if lines and not lines[-1].endswith('\n'):
        path.write_text(''.join(lines[:-1]), encoding='utf-8')
        lines = lines[:-1]
    return {json.loads(line)['filename'] for line in lines}


def highlights(args: argparse.Namespace, finder: HighlightFinder, files: list[str], folder: str
               ) -> Iterator[Highlights]:
    """Find the best moments of each file, and cut them if asked for; ``folder`` holds all files."""
    for name in files:
        result = finder.find(name, args.highlights, moment_seconds=args.moment_seconds)
        if args.cut is not None:
            # Files of equal names lie in different folders, and so do their moments.
            path = args.cut / Path(name).resolve().relative_to(folder)
            # Matroska holds every codec.
            suffix = '.mkv' if args.copy and path.suffix not in ('.mp4', '.mov') else '.mp4'
            try:
                for i, moment in enumerate(result.moments, start=1):
                    moment['file'] = str(path.with_name(f'{path.name}_{i:02}{suffix}'))
                    moment['file_start'], moment['file_end'] = cut_clip(
                        name, moment['start'], moment['end'], moment['file'], copy=args.copy)
            except MediaReadError as error:
                result.error = str(error)
        yield result


def summary(result: VideoResult | Highlights) -> str:
    """A result in a line."""
    if result.error is not None:
        return f'{result.filename}: NOT READ: {result.error}'
    if isinstance(result, Highlights):
        return f'{result.filename}: ' + ', '.join(
            f'{moment["start"]:.1f}-{moment["end"]:.1f} s ({moment["score"]:.3f})'
            for moment in result.moments)
    best = result.labels[0]
    return (f'{result.filename}: {best["name"]} ({best["score"]:.1%}), {result.gmacs:.3g} GMACs, '
            f'{result.frames_decoded} frames read')


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    cfg = get_config(args.config) if '::' in args.config else Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    kind = AVInferencer if args.highlights is None else HighlightFinder
    inferencer = kind(cfg, args.weights, device=args.device, label_file=args.label_file,
                      sampling=args.sampling, fast=fast_options(args), show_progress=False)
    budget = {name: value for name in ('num_glances', 'num_focus')
              if (value := getattr(args, name)) is not None}

    files = list(dict.fromkeys(inferencer.list_files(args.inputs)))
    folder = os.path.commonpath([Path(name).resolve().parent for name in files])
    file = None
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        path = args.out / ('results.jsonl' if args.highlights is None else 'highlights.jsonl')
        done = read_done(path)
        if done:
            print(f'{len(done)} videos are answered in {path} already', file=sys.stderr)
        files = [name for name in files if name not in done]
        file = open(path, 'a', encoding='utf-8')
    if args.highlights is None:
        results = inferencer.stream(files, batch_size=args.batch_size, **budget)
    else:
        results = highlights(args, inferencer, files, folder)
    failed = 0
    try:
        for result in results:
            if file is not None:
                file.write(json.dumps(result.to_dict()) + '\n')
                file.flush()
            failed += result.error is not None
            print(summary(result), flush=True)
    finally:
        if file is not None:
            file.close()
    print(f'{len(files)} videos, {failed} of them not read', file=sys.stderr)
    if args.highlights is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f'peak memory {peak:.0f} MiB', file=sys.stderr)
    if args.report:
        lines = (args.out / 'results.jsonl').read_text(encoding='utf-8').splitlines()
        write_report([VideoResult(**json.loads(line)) for line in lines], args.out / 'report.html')
        print(f'Report: {args.out}/report.html', file=sys.stderr)


if __name__ == '__main__':
    main()
