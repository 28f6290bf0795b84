"""From files to labels, how fast? ``benchmark_videos.py CONFIG FOLDER --budgets 4,5 16,16``.

Decoding included. Each budget is run plain and, with ``--fast``, accelerated, with the exact and
with the cheapest frames (``SampleFrameTimes``); beside it runs MMAction2's own inferencer with TSN,
ResNet-50 and 16 frames. All live in one process and take turns, some files each, so that drift of
the machine hits them alike. Weights are random unless ``--checkpoint`` says otherwise.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import torch
from benchmark import budget
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import DictAction
from mmengine.device import get_device

from avgn_mm.apis import AVInferencer
from avgn_mm.engine.analysis import markdown_table, read_config
from avgn_mm.engine.fast import accelerate, describe_options, read_options

TSN = 'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py'
STAGES = ('open', 'audio', 'frames', 'model')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time predictions from files')
    parser.add_argument('config', metavar='CONFIG', help='path or package name')
    parser.add_argument('videos', nargs='+', help='files, folders or patterns')
    parser.add_argument('--checkpoint', help='weights')
    parser.add_argument('--budgets', type=budget, nargs='+', default=[(4, 5), (16, 16)],
                        metavar='T_G,k')
    parser.add_argument('--fast', type=read_options, metavar='OPTIONS',
                        help='further rows, with some of channels-last,bf16,compile')
    parser.add_argument('--samplings', nargs='+', default=['centre', 'cheapest'])
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1])
    parser.add_argument('--chunk', type=int, default=4, help='files of a turn; 1: no overlap')
    parser.add_argument('--no-mmaction2', action='store_true')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='on the CPU')
    parser.add_argument('--device', default=get_device())
    parser.add_argument('--json', type=Path, help='file to write the numbers to as well')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


class Ours:
    """``AVInferencer`` in one of its settings."""

    def __init__(self, args: argparse.Namespace, num: tuple[int, int], fast: dict | None,
                 sampling: str, batch_size: int, models: dict[str, torch.nn.Module]) -> None:
        self.words = [str(num)[1:-1], describe_options(fast), sampling, str(batch_size)]
        self.budget = dict(num_glances=num[0], num_focus=num[1])
        self.batch_size = batch_size
        torch.manual_seed(0)  # the same random weights, and so the same frames, in all settings
        self.inferencer = AVInferencer(
            read_config(args.config, args.cfg_options), args.checkpoint, device=args.device,
            sampling=sampling, show_progress=False)
        # Settings share models, so that each is compiled once.
        name = describe_options(fast)
        if name not in models:
            models[name] = self.inferencer.model
            if fast is not None:
                accelerate(models[name], **fast)
        self.inferencer.model = models[name]

    def run(self, files: list[str]) -> list[dict]:
        results = self.inferencer(files, batch_size=self.batch_size, **self.budget)
        for result in results:
            if result.error is not None:
                raise SystemExit(result.error)
        return [dict(result.milliseconds, decoded=result.frames_decoded) for result in results]


class MMAction2:
    """Its inferencer as it is, with a test pipeline of one crop of 16 frames."""

    words = ['MMAction2, TSN-R50', 'plain', 'centre', '1']

    def __init__(self, args: argparse.Namespace) -> None:
        cfg = read_config(TSN)
        for step in cfg.test_dataloader.dataset.pipeline:  # the inferencer makes one crop of ten
            if step['type'] == 'SampleFrames':
                step['num_clips'] = 16
        cfg.model.backbone.pretrained = None
        self.inferencer = ActionRecogInferencer(cfg, device=args.device)
        self.inferencer.show_progress = False
        self.forward, self.inferencer.forward = self.inferencer.forward, self._timed
        self._spent = []

    def _timed(self, *args, **kwargs) -> object:
        start = time.perf_counter()
        found = self.forward(*args, **kwargs)
        self._spent.append(1e3 * (time.perf_counter() - start))
        return found

    def run(self, files: list[str]) -> list[dict]:
        self._spent.clear()
        start = time.perf_counter()
        self.inferencer(files)
        reading = 1e3 * (time.perf_counter() - start) - sum(self._spent)
        return [dict(frames=reading / len(files), model=model, decoded=16)
                for model in self._spent]


def build_settings(args: argparse.Namespace) -> list[MMAction2 | Ours]:
    settings, models = [] if args.no_mmaction2 else [MMAction2(args)], {}
    for num, fast, sampling, batch_size in product(
            args.budgets, [None, args.fast] if args.fast else [None], args.samplings,
            args.batch_sizes):
        settings.append(Ours(args, num, fast, sampling, batch_size, models))
    return settings


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = build_settings(args)
    files = settings[-1].inferencer.list_files(args.videos)
    seconds, spent = np.zeros(len(settings)), [[] for _ in settings]
    before = memory('VmRSS')
    for setting in settings:  # compiling, and reading the files into memory
        setting.run(files[:max(args.batch_sizes)])
    turns = range(0, len(files), args.chunk)
    for turn, first in enumerate(turns):
        for i in np.roll(np.arange(len(settings)), turn):
            start = time.perf_counter()
            spent[i] += settings[i].run(files[first:first + args.chunk])
            seconds[i] += time.perf_counter() - start
            print(f'turn {turn + 1} of {len(turns)}, setting {i + 1} of {len(settings)}: '
                  f'{seconds[i]:.1f} s', file=sys.stderr, flush=True)

    results = []
    for setting, total, videos in zip(settings, seconds, spent):
        work = {stage: float(np.mean([video.get(stage, 0.0) for video in videos]))
                for stage in STAGES}
        results.append(dict(
            zip(('budget', 'encoders', 'sampling', 'batch_size'), setting.words),
            videos_per_second=len(files) / total, ms_per_video=1e3 * total / len(files),
            stages_ms=work, frames_decoded=float(np.mean([v['decoded'] for v in videos]))))
    rows = [['T_G, k', 'encoders', 'sampling', 'batch', 'videos/s', 'ms a video',
             *STAGES, 'frames decoded',
             *(f'x row {i + 1}' for i, result in enumerate(results) if baseline(result))]]
    for result in results:
        rows.append([
            *(result[key] for key in ('budget', 'encoders', 'sampling', 'batch_size')),
            f'{result["videos_per_second"]:.3f}', f'{result["ms_per_video"]:.0f}',
            *(f'{value:.0f}' for value in result['stages_ms'].values()),
            f'{result["frames_decoded"]:.1f}',
            *(f'{result["videos_per_second"] / other["videos_per_second"]:.2f}'
              for other in results if baseline(other))])
    print(f'{len(files)} files, {args.chunk} a turn, {args.threads} threads, '
          f'torch {torch.__version__}. Stages: milliseconds of work a video; files are prepared '
          f'while the model runs.\n\n{markdown_table(rows)}')
    if before is not None:
        print(f'\nMemory: {before} MB with the models built, {memory("VmHWM") - before} MB more at '
              'the peak.')
    if args.json is not None:
        args.json.write_text(json.dumps(results, indent=2) + '\n')


def memory(field: str) -> int | None:
    """Megabytes of this process now (VmRSS) or at its peak (VmHWM), where Linux tells."""
    status = Path('/proc/self/status')
    if not status.exists():
        return None
    return int(status.read_text().split(f'{field}:')[1].split()[0]) // 1000


def baseline(result: dict) -> bool:
    """What the others are compared with: nothing accelerated, the exact frames, one by one."""
    return (result['encoders'], result['sampling'], result['batch_size']) == \
        ('plain', 'centre', '1')


if __name__ == '__main__':
    main()
