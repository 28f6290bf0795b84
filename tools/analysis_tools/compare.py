"""Methods side by side: accuracy, computation, size and time, on the same videos in one process.

Usage::

    python tools/analysis_tools/compare.py --out compare \\
        --model CONFIG CHECKPOINT name=AVGN model.test_cfg.num_focus=4 \\
        --model CONFIG CHECKPOINT name=Uniform

Accuracy and mean GMACs are those of ``tools/test.py`` with these settings. The times are of single
videos, for which the methods take turns, so that drift of the machine hits them alike: model-only,
and end-to-end from the file to the label, nothing cached; this package's recognizers decode what
they look at only (``AVInferencer``). Writes table.md, results.json and tradeoff.png.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DATASETS
from mmengine.runner import CheckpointLoader

from avgn_mm.apis import AVInferencer
from avgn_mm.engine.analysis import markdown_table, read_config
from avgn_mm.engine.launch import build_runner
from avgn_mm.visualization import draw_methods


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', nargs='+', action='append', required=True,
                        metavar=('CONFIG', 'CHECKPOINT'),
                        help='then name=NAME and settings of the config, as key=value')
    parser.add_argument('--num-videos', type=int, default=20, help='that are timed')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='on the CPU')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/compare'), help='folder')
    args = parser.parse_args(argv)
    for model in args.model:
        if len(model) < 2 or not all('=' in option for option in model[2:]):
            parser.error(f'--model wants CONFIG CHECKPOINT [key=value ...], got {" ".join(model)}')
    return args


def parse_options(pairs: Sequence[str]) -> dict:
    """Settings as ``--cfg-options`` takes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *pairs] if pairs else []).cfg_options


class Contender:
    """A method with its weights, its test set, and what is known of it.

    Args:
        config (str): Path or package name.
        checkpoint (str): File.
        options (dict): Settings; ``name`` is that of the row, by default the config's.
        work_dir (str): Folder for logs.
    """

    def __init__(self, config: str, checkpoint: str, options: dict, work_dir: str) -> None:
        options = dict(options)
        self.name = str(options.pop('name', Path(config).stem))
        cfg = read_config(config, options)
        cfg.update(load_from=checkpoint, launcher='none', log_level='ERROR', work_dir=work_dir,
                   experiment_name=f'{self.name}_{id(self)}')
        cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
        self.runner = build_runner(cfg)
        self.model = self.runner.model
        self.dataset = DATASETS.build(without_cache(cfg).test_dataloader.dataset)
        self.dataset.full_init()
        self.inferencer = None
        if hasattr(self.model, 'unpack'):
            self.inferencer = AVInferencer(cfg, checkpoint, show_progress=False)
        meta = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu').get('meta', {})
        seed = meta.get('seed')
        command = f'python tools/train.py {config}' + ('' if seed is None else f' --seed {seed}')
        self.row = dict(
            name=self.name, config=config, checkpoint=Path(checkpoint).name, options=options,
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            train_command=command, epoch=meta.get('epoch'))
        self.times: list[tuple[float, float]] = []

    def videos(self) -> list[str]:
        return [self.dataset.get_data_info(i)['filename'] for i in range(len(self.dataset))]

    def test(self) -> None:
        """Accuracy and cost over the whole test set, as ``tools/test.py`` has them."""
        self.row['metrics'] = {name: float(value) for name, value in self.runner.test().items()}
        self.model.eval()

    @torch.inference_mode()
    def time(self, index: int) -> None:
        """Milliseconds of one video, from its tensors and from its file to the label."""
        start = time.perf_counter()
        batch = pseudo_collate([self.dataset[index]])
        batch = self.model.data_preprocessor(batch, False)
        _synchronize()
        ready = time.perf_counter()
        self.model(**batch, mode='predict')
        _synchronize()
        end = time.perf_counter()
        model_ms, end_to_end_ms = 1e3 * (end - ready), 1e3 * (end - start)
        if self.inferencer is not None:
            start = time.perf_counter()
            (result, ) = self.inferencer(self.videos()[index])
            end_to_end_ms = 1e3 * (time.perf_counter() - start)
            if result.error is not None:
                raise RuntimeError(result.error)
        self.times.append((model_ms, end_to_end_ms))


def without_cache(cfg: Config) -> Config:
    """The config with a test pipeline that keeps no decoded videos."""
    cfg = cfg.copy()
    for step in cfg.test_dataloader.dataset.pipeline:
        step.pop('cache_bytes', None)
    return cfg


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def table(rows: list[dict], metric: str) -> str:
    """One line a method."""
    cells = [['method', metric, 'GMACs', 'parameters', 'model ms', 'end-to-end ms']]
    cells += [[row['name'], f'{row["metrics"][metric]:.1%}', f'{row["gmacs"]:.4g}',
               f'{row["parameters"]:,}', f'{row["model_ms"]:.1f}', f'{row["end_to_end_ms"]:.1f}']
              for row in rows]
    return markdown_table(cells)


def compare(contenders: list[Contender], num_videos: int) -> list[dict]:
    """Test all, then time them in turns.

    Raises:
        ValueError: If their test sets differ.
    """
    videos = contenders[0].videos()
    for contender in contenders[1:]:
        if contender.videos() != videos:
            raise ValueError(f'{contender.name} is tested on other videos than '
                             f'{contenders[0].name}: their numbers do not compare')
    for contender in contenders:
        contender.test()
    # The first video warms up.
    for index in [0, *np.linspace(0, len(videos) - 1, num_videos).astype(int)]:
        for contender in contenders:
            contender.time(int(index))
    for contender in contenders:
        model_ms, end_to_end_ms = np.median(contender.times[1:], axis=0)
        contender.row.update(gmacs=contender.row['metrics'].get('cost/gmacs_mean', float('nan')),
                             model_ms=float(model_ms), end_to_end_ms=float(end_to_end_ms))
    return [contender.row for contender in contenders]


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as work_dir:
        rows = compare([Contender(config, checkpoint, parse_options(options), work_dir)
                        for config, checkpoint, *options in args.model], args.num_videos)
    metric = next(name for name in rows[0]['metrics'] if name.startswith('acc/'))
    text = table(rows, metric)
    text += (f'\n\n{get_device()}, {args.threads} threads, torch {torch.__version__}; times are '
             f'medians of {args.num_videos} single videos.\n\nTrained by:\n\n')
    text += '\n'.join(f'- {row["name"]}: `{row["train_command"]}` ({row["epoch"]} epochs)'
                      for row in rows)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / 'results.json').write_text(json.dumps(dict(metric=metric, rows=rows), indent=2))
    (args.out / 'table.md').write_text(text + '\n')
    draw_methods(rows, metric, str(args.out / 'tradeoff.png'))
    print(f'{text}\n\nWritten to {args.out}: results.json, table.md, tradeoff.png')


if __name__ == '__main__':
    main()
