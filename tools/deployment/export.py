"""Export AVGN: ``export.py CONFIG CHECKPOINT --format onnx --num-glances 4 --num-focus 5 --out F``.

Writes one graph of fixed (T_G, k) and batch size, or with ``--stages`` a folder of the three graphs
of early exit. Then runs what it wrote on random inputs beside the eager model, says how far the two
are apart and how long they take (``--fast``: and the accelerated model), and ends with exit code 1
if scores differ by more than 1e-4.
"""

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample
from mmengine.config import Config, DictAction
from mmengine.runner import load_checkpoint

from avgn_mm.deployment.export import FORMATS, check_onnx, load_graph, save_graph
from avgn_mm.deployment.graphs import AVGNGraph, stages
from avgn_mm.deployment.stages import StagedAVGN
from avgn_mm.engine.analysis import build_model, random_batch, read_config
from avgn_mm.engine.fast import accelerate, describe_options, read_options
from avgn_mm.evaluation.exits import write_thresholds
from avgn_mm.models.recognizers import AVGN

TOLERANCE = 1e-4


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export AVGN for fixed T_G and k')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--format', choices=FORMATS, required=True)
    parser.add_argument('--out', type=Path, required=True,
                        help='file to write; with --stages a folder')
    parser.add_argument('--num-glances', type=int, help="T_G; by default the config's")
    parser.add_argument('--num-focus', type=int, help="k; by default the config's")
    parser.add_argument('--stages', action='store_true',
                        help='early exit: three graphs for one video (onnx)')
    parser.add_argument('--raw-frames', action='store_true',
                        help='take uint8 RGB frames and normalise them in the graph')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--shape', type=int, nargs=2, metavar=('H', 'W'),
                        help="size of the frames; by default the test pipeline's")
    parser.add_argument('--iters', type=int, default=10, help='inputs to compare on, and to time')
    parser.add_argument('--fast', type=read_options, metavar='OPTIONS',
                        help='time the accelerated model too: some of channels-last,bf16,compile')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(argv)
    if args.stages and (args.format != 'onnx' or args.batch_size != 1):
        parser.error('--stages goes with --format onnx and --batch-size 1')
    return args


def load_model(args: argparse.Namespace, cfg: Config) -> AVGN:
    """The model with its weights and the budget that was asked for."""
    model = build_model(cfg)
    if not isinstance(model, AVGN):
        raise SystemExit(f'{args.config} is a {type(model).__name__}; only AVGN can be exported')
    load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
    for name in ('num_glances', 'num_focus'):
        value = getattr(args, name)
        model.test_cfg[name] = model.test_cfg.get(name) if value is None else value
        # Checks it, too.
        model.test_cfg[name] = model._budget('test_cfg', name) or model.num_frames
    return model


def draw_inputs(model: AVGN, shapes: dict[str, torch.Size], raw_frames: bool
                ) -> tuple[dict, dict]:
    """Random inputs as the eager model takes them, and as the graph does."""
    *leading, height, width = shapes['imgs']
    # Coarse patterns: to a network one picture of fine noise looks like any other.
    coarse = torch.rand(math.prod(leading) // 3, 3, 8, 8)
    frames = F.interpolate(coarse, (height, width), mode='bilinear').unflatten(0, leading[:-1])
    inputs = dict(imgs=(frames * 255).to(torch.uint8))
    if 'audios' in shapes:
        inputs['audios'] = torch.randn(shapes['audios']) * torch.rand(shapes['audios'][:2])[
            ..., None, None, None]
    batch = {name: [*values] for name, values in inputs.items()}
    if not hasattr(model.data_preprocessor, 'preprocessors'):  # it knows frames only
        batch = batch['imgs']
    eager = model.data_preprocessor(dict(inputs=batch, data_samples=None))['inputs']
    imgs, audios = model.unpack(eager)
    exported = dict(imgs=inputs['imgs'] if raw_frames else imgs)
    if audios is not None:
        exported['audios'] = audios
    return eager, exported


def export(model: AVGN, inputs: dict, args: argparse.Namespace) -> Callable[[dict, list], dict]:
    """Write what was asked for; return how to run it from there."""
    if not args.stages:
        if model.test_cfg.get('exit_thresholds') is not None:
            raise SystemExit('the config has exit_thresholds, and early exit needs --stages; '
                             'or set --cfg-options model.test_cfg.exit_thresholds=None')
        args.out.parent.mkdir(parents=True, exist_ok=True)
        graph = AVGNGraph(model, raw_frames=args.raw_frames)
        save_graph(graph, inputs, args.out, args.format)
        run = load_graph(args.out, args.format, args.threads)
        return lambda inputs, thresholds: dict(zip(graph.outputs, run(inputs)))

    args.out.mkdir(parents=True, exist_ok=True)
    for name, (graph, example) in stages(model, inputs, raw_frames=args.raw_frames).items():
        save_graph(graph, example, args.out / f'{name}.onnx', 'onnx')
    num_glances, num_focus = model.test_cfg['num_glances'], model.test_cfg['num_focus']
    thresholds = model._exit_thresholds() or [math.inf] * num_focus
    write_thresholds(str(args.out / 'stages.json'), dict(
        num_glances=num_glances, num_focus=num_focus, thresholds=thresholds))
    staged = StagedAVGN(args.out, threads=args.threads)

    def run(inputs: dict, thresholds: list) -> dict:
        found = staged(inputs['imgs'][0].numpy(), inputs['audios'][0].numpy(), thresholds)
        return {name: torch.from_numpy(found[name])[None] for name in AVGNGraph.outputs}

    return run


def compare(model: AVGN, run: Callable[[dict, list], dict], shapes: dict[str, torch.Size],
            args: argparse.Namespace) -> dict[str, float]:
    """Run both in turns on the same inputs; with stages, early exit comes after 1, 2, ... frames.

    Returns:
        dict[str, float]: ``score`` and ``box``, the greatest differences; ``same``, for how many
        videos the selected frames are the same, and ``videos``, of how many; ``eager_ms`` and
        ``exported_ms`` and, with ``--fast``, ``fast_ms``, medians of a batch; ``eager_gmacs``, the
        mean of a video.
    """
    fast = None
    if args.fast is not None:
        fast = accelerate(copy.deepcopy(model), **args.fast)
        fast.test_cfg = model.test_cfg
    num_focus = model.test_cfg['num_focus']
    score, box, gmacs, times, same = [], [], [], [], 0
    iters = max(args.iters, num_focus) if args.stages else args.iters
    for i in range(-1, iters):  # the first is for warming up
        inputs, exported = draw_inputs(model, shapes, args.raw_frames)
        # Of 1, 2, ..., k steps the one that every confidence passes.
        thresholds = [math.inf] * num_focus
        thresholds[i % num_focus] = -math.inf
        model.test_cfg['exit_thresholds'] = thresholds if args.stages else None
        samples = [ActionDataSample() for _ in range(args.batch_size)]
        start = time.perf_counter()
        samples = model.predict(inputs, samples)
        middle = time.perf_counter()
        found = run(exported, thresholds)
        end = time.perf_counter()
        if fast is not None:
            fast.predict(inputs, [ActionDataSample() for _ in range(args.batch_size)])
        last = time.perf_counter()
        if i < 0:
            continue
        times.append((1e3 * (middle - start), 1e3 * (end - middle), 1e3 * (last - end)))
        for j, sample in enumerate(samples):
            gmacs.append(sample.gmacs)
            score.append(float((found['scores'][j] - sample.pred_score).abs().max()))
            if torch.equal(found['selected'][j], sample.selected):
                box.append(float((found['patch_boxes'][j] - sample.patch_boxes).abs().max()))
                same += 1
    eager_ms, exported_ms, fast_ms = np.median(times, axis=0)
    # NumPy's maximum of numbers and NaN is NaN, which passes no test.
    return dict(score=float(np.max(score)), box=float(np.max(box, initial=0)), same=same,
                videos=len(score), eager_ms=eager_ms, exported_ms=exported_ms,
                fast_ms=fast_ms, eager_gmacs=float(np.mean(gmacs)))


@torch.no_grad()
def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.format == 'onnx':
        try:
            check_onnx()
        except ImportError as error:
            raise SystemExit(str(error)) from error
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cfg = read_config(args.config, args.cfg_options)
    model = load_model(args, cfg)
    batch = random_batch(cfg, args.batch_size, args.shape)['inputs']
    batch = batch if isinstance(batch, dict) else dict(imgs=batch)
    shapes = {name: torch.stack(values).shape for name, values in batch.items()}
    _, inputs = draw_inputs(model, shapes, args.raw_frames)
    run = export(model, inputs, args)
    files = [*args.out.glob('*.onnx')] if args.stages else [args.out]
    num_glances, num_focus = model.test_cfg['num_glances'], model.test_cfg['num_focus']
    print(f'{args.out}: T_G={num_glances}, k={num_focus}, batch of {args.batch_size}, '
          f'{sum(file.stat().st_size for file in files) / 1e6:.1f} MB')
    for name, value in inputs.items():
        print(f'  input {name}: {tuple(value.shape)} {str(value.dtype).removeprefix("torch.")}')

    found = compare(model, run, shapes, args)
    what = 'ONNX Runtime' if args.format == 'onnx' else 'torch.export'
    print(f'against eager on {found["videos"]} random videos: scores differ by at most '
          f'{found["score"]:.1e}, boxes by {found["box"]:.1e} pixels; the same frames were '
          f'selected in {found["same"]}')
    accelerated = '' if args.fast is None else \
        f'{describe_options(args.fast)} {found["fast_ms"]:.1f} ms, '
    print(f'eager {found["eager_ms"]:.1f} ms, {accelerated}{what} {found["exported_ms"]:.1f} ms a '
          f'batch, median in turns, CPU, {args.threads} threads')
    if not args.stages:
        glanced = 0 if model.temporal_glance is None else num_glances
        encoded = min(glanced + num_focus, model.num_frames)
        fixed = model.cost.gmacs(inputs['imgs'], inputs.get('audios'), glanced, encoded, num_focus)
        print(f'{fixed:.4g} GMACs a video, {found["eager_gmacs"]:.4g} eager: the graph encodes '
              f'{encoded} frames in any case')
    if not found['score'] <= TOLERANCE:
        print(f'FAILED: scores differ by {found["score"]:.1e}, more than {TOLERANCE:g}: do not use '
              f'{args.out}' + ('' if found['same'] == found['videos'] else
                               ' (other frames were selected: are saliencies as good as equal?)'),
              file=sys.stderr)
        raise SystemExit(1)


if __name__ == '__main__':
    main()
