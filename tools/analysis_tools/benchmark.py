"""Does time follow computation? ``benchmark.py CONFIG [CONFIG ...] --budgets 4,5 16,16``.

Times predictions on random inputs with random weights, without reading or preprocessing data. All
settings live in one process and take turns, so that drift of the machine hits them alike. The
saving of the first budget against the second is realised where time falls as far as GMACs do.
``--fast channels-last,bf16`` adds rows with accelerated encoders, and says how far their scores
are from those of the plain ones; on real weights with ``--checkpoint``.
"""

import argparse
import copy
import json
import platform
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.runner import load_checkpoint

from avgn_mm.engine.analysis import build_model, markdown_table, random_batch, read_config
from avgn_mm.engine.fast import accelerate, check_fast, describe_options, read_options
from avgn_mm.engine.hooks import predict_and_count

# Methods by stage, of which none calls another; what runs between them is 'other'.
AVGN_STAGES = {
    'audio': ['encode_audio'], 'glance': ['encode_frames'],
    'AV-TeST': ['temporal_glance.forward'], 'policy': ['locate'], 'focus': ['focus'],
    'head': ['fuse_audio', 'cls_head.fuse', 'cls_head.classifier.embed',
             'cls_head.classifier.classify'],
}
STOCK_STAGES = {'focus': ['backbone.forward'], 'head': ['cls_head.forward']}


def budget(text: str) -> tuple[int, int]:
    num_glances, num_focus = map(int, text.split(','))
    return num_glances, num_focus


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time predictions at several budgets')
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='paths or package names')
    parser.add_argument('--budgets', type=budget, nargs='+', metavar='T_G,k', default=[None],
                        help="of recognizers that have them (default: the config's)")
    parser.add_argument('--fast', type=read_options, nargs='+', default=[], metavar='OPTIONS',
                        help='further rows, each with some of channels-last,bf16,compile')
    parser.add_argument('--checkpoint', help='weights, of the only config')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--warmup', type=int, default=5, help='rounds that are not reported')
    parser.add_argument('--iters', type=int, default=20, help='rounds that are')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='on the CPU')
    parser.add_argument('--device', default=get_device())
    parser.add_argument('--shape', type=int, nargs=2, metavar=('H', 'W'),
                        help='size of the frames (default: what the test pipeline makes)')
    parser.add_argument('--json', type=Path, help='file to write the numbers to as well')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='for all configs')
    args = parser.parse_args(argv)
    if args.checkpoint is not None and len(args.configs) > 1:
        parser.error('--checkpoint is of one config')
    return args


class Stopwatch:
    """Milliseconds by name; on a GPU between events, so that nothing waits inside a prediction."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device.startswith('cuda')
        self._spans = defaultdict(list)

    def run(self, name: str, function: Callable, *args, **kwargs) -> object:
        start = self._mark()
        result = function(*args, **kwargs)
        self._spans[name].append((start, self._mark()))
        return result

    def collect(self) -> dict[str, float]:
        """What was spent since the last call."""
        if self.on_gpu:
            torch.cuda.synchronize()
        spans, self._spans = self._spans, defaultdict(list)
        return {name: sum(start.elapsed_time(end) if self.on_gpu else 1e3 * (end - start)
                          for start, end in pairs) for name, pairs in spans.items()}

    def _mark(self) -> object:
        if self.on_gpu:
            return torch.cuda.current_stream().record_event(
                torch.cuda.Event(enable_timing=True))
        return time.perf_counter()

    def watch(self, model: torch.nn.Module) -> None:
        """Time the stages of a model wherever they are called."""
        for stage, paths in (AVGN_STAGES if hasattr(model, 'cost') else STOCK_STAGES).items():
            for path in paths:
                owner, _, name = path.rpartition('.')
                owner = attrgetter(owner)(model) if owner else model
                if owner is not None:
                    setattr(owner, name, partial(self.run, stage, getattr(owner, name)))


def build_settings(args: argparse.Namespace, stopwatch: Stopwatch) -> list[dict]:
    """Each config's model, plain and accelerated, at each budget.

    A recognizer without budgets is there only once each.
    """
    settings = []
    for name in args.configs:
        cfg = read_config(name, args.cfg_options)
        plain = build_model(cfg).to(args.device)
        if args.checkpoint is not None:
            load_checkpoint(plain, args.checkpoint, map_location='cpu', strict=True)
        batch = random_batch(cfg, args.batch_size, args.shape)
        gmacs = predict_and_count(plain, batch)[1] / args.batch_size
        prepared = plain.data_preprocessor(batch)
        for fast in (None, *args.fast):
            model, difference = copy.deepcopy(plain), 0.0
            if fast is not None:
                difference = check_fast(accelerate(model, **fast), batch)
            stopwatch.watch(model)
            settings += [dict(config=Path(name).stem, fast=describe_options(fast), budget=pair,
                              model=model, batch=prepared, gmacs=gmacs, difference=difference,
                              rounds=[])
                         for pair in (args.budgets if hasattr(model, 'cost') else [None])]
    return settings


def predict(setting: dict, stopwatch: Stopwatch) -> None:
    """One round of a setting."""
    model = setting['model']
    if setting['budget'] is not None:
        model.test_cfg.update(zip(('num_glances', 'num_focus'), setting['budget']))
    samples = stopwatch.run('total', model, **setting['batch'], mode='predict')
    setting['rounds'].append(stopwatch.collect())
    if 'gmacs' in samples[0]:
        setting['gmacs'] = float(np.mean([sample.gmacs for sample in samples]))


def summarise(setting: dict, args: argparse.Namespace) -> dict:
    """Medians over the reported rounds, all per video of a batch."""
    rounds = setting['rounds'][args.warmup:]
    times = {name: np.array([spent.get(name, 0.0) for spent in rounds]) / args.batch_size
             for name in ('total', *AVGN_STAGES)}
    total = times.pop('total')
    times['other'] = total - sum(times.values())
    return dict(config=setting['config'], fast=setting['fast'], budget=setting['budget'],
                gmacs=setting['gmacs'], difference=setting['difference'],
                median_ms=float(np.median(total)), p95_ms=float(np.percentile(total, 95)),
                stages_ms={name: float(np.median(values)) for name, values in times.items()})


def environment(args: argparse.Namespace, model: torch.nn.Module) -> dict:
    """What the times depend on."""
    info = Path('/proc/cpuinfo').read_text() if Path('/proc/cpuinfo').exists() else ''
    cpu = re.search(r'model name\s*: (.*)', info)
    return dict(
        cpu=cpu[1] if cpu else platform.processor(), threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if args.device.startswith('cuda') else args.device,
        dtype=str(next(model.parameters()).dtype), batch_size=args.batch_size, iters=args.iters,
        torch=torch.__version__)


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    stopwatch = Stopwatch(args.device)
    settings = build_settings(args, stopwatch)
    for _ in range(args.warmup + args.iters):
        for setting in settings:
            predict(setting, stopwatch)
    results = [summarise(setting, args) for setting in settings]
    report = dict(environment=environment(args, settings[0]['model']), settings=results, savings=[])
    print(', '.join(f'{name}: {value}' for name, value in report['environment'].items()))

    rows = [['config', 'T_G, k', 'GMACs', 'median', 'p95', *AVGN_STAGES, 'other']]
    if args.fast:
        rows[0][1:1], rows[0][-1:] = ['encoders'], ['other', 'score difference']
    for row in results:
        times = [row['median_ms'], row['p95_ms'], *row['stages_ms'].values()]
        rows.append([row['config'], ', '.join(map(str, row['budget'] or '-')),
                     f'{row["gmacs"]:.4g}', *(f'{value:.1f}' for value in times)])
        if args.fast:
            rows[-1][1:1] = [row['fast']]
            rows[-1].append(f'{row["difference"]:.1g}')
    print(f'Milliseconds per video, medians of the stages.\n\n{markdown_table(rows)}')

    for cheap, full in zip(results, results[1:]):
        if [cheap['budget'], full['budget']] != args.budgets[:2] or cheap['gmacs'] == full['gmacs']:
            continue
        time_ratio, gmacs_ratio = (cheap[key] / full[key] for key in ('median_ms', 'gmacs'))
        realised = (1 - time_ratio) / (1 - gmacs_ratio)
        report['savings'].append(dict(
            config=cheap['config'], fast=cheap['fast'], time_ratio=time_ratio,
            gmacs_ratio=gmacs_ratio, realised=realised))
        print(f'\n{cheap["config"]}, {cheap["fast"]} encoders: {cheap["budget"]} against '
              f'{full["budget"]}: time x {time_ratio:.3f}, GMACs x {gmacs_ratio:.3f}; saving '
              f'realised: {realised:.0%}')
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    main()
