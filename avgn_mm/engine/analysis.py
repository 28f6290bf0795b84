"""What the tools that measure a config share: its model without weights, inputs of its shapes."""

import copy
import tempfile
from pathlib import Path

import av
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch import nn

from avgn_mm.registry import MODELS


def read_config(name: str, options: dict | None = None) -> Config:
    """Read a config by path or by package name, merge options and enter its scope."""
    cfg = get_config(name) if '::' in name else Config.fromfile(name)
    cfg.merge_from_dict(options or {})
    init_default_scope(cfg.get('default_scope', 'avgn_mm'))
    return cfg


def build_model(cfg: Config) -> nn.Module:
    """Build a config's model with the weights of its constructors, in eval mode.

    MMEngine loads weights in ``init_weights``, which is not called. Torchvision's and timm's
    networks load theirs at once and are told not to.
    """
    def without_weights(part: object) -> object:
        if isinstance(part, dict):
            sources = ['init_cfg', 'pretrained']
            if str(part.get('type')).startswith('torchvision.'):
                sources.append('weights')
            return {key: None if key in sources else without_weights(value)
                    for key, value in part.items()}
        return [without_weights(x) for x in part] if isinstance(part, (list, tuple)) else part

    model = MODELS.build(without_weights(cfg.model.to_dict()))
    # Not chained: MMAction2's ResNet.eval() returns None.
    model.eval()
    return model


def random_batch(cfg: Config, batch_size: int = 1, size: tuple[int, int] | None = None) -> dict:
    """Random inputs of the shapes that a config's test pipeline makes, before preprocessing.

    The pipeline itself says which: it reads two small files of unlike sizes. Whatever samples,
    crops or resizes in it, clips and crops included, thus counts as it does in a test.

    Args:
        cfg (Config): With ``test_dataloader.dataset.pipeline``, which reads video files.
        batch_size (int): B.
        size (tuple[int, int], optional): (H, W) of the frames instead of the pipeline's.

    Returns:
        dict: ``inputs`` and ``data_samples`` of B videos, as a data loader gives them.

    Raises:
        ValueError: If the pipeline leaves the size to the files and ``size`` is not given, or it
            does not run on a video file.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline
    try:
        one, other = (_run(Compose(pipeline), *wh) for wh in ((352, 288), (320, 480)))
    except Exception as error:
        raise ValueError(f'the test pipeline of {cfg.filename} does not run on a plain video file: '
                         f'{error}') from error
    inputs = one['inputs'] if isinstance(one['inputs'], dict) else dict(imgs=one['inputs'])
    others = other['inputs'] if isinstance(other['inputs'], dict) else dict(imgs=other['inputs'])
    shapes = {name: tuple(value.shape) for name, value in inputs.items()}
    if size is not None:
        shapes['imgs'] = (*shapes['imgs'][:-2], *size)
    elif shapes != {name: tuple(value.shape) for name, value in others.items()}:
        raise ValueError(f'the test pipeline of {cfg.filename} leaves the size of the frames to '
                         'the files: say it with --shape H W')
    batch = {
        name: [torch.randint(256, shapes[name], dtype=torch.uint8) if value.dtype == torch.uint8
               else torch.randn(shapes[name]) for _ in range(batch_size)]
        for name, value in inputs.items()}
    return dict(inputs=batch if isinstance(one['inputs'], dict) else batch['imgs'],
                data_samples=[copy.deepcopy(one['data_samples']) for _ in range(batch_size)])


def _run(pipeline: Compose, width: int, height: int) -> dict:
    """Run a pipeline on a black video of three seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'black.mp4'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('mpeg4', rate=10)
            stream.width, stream.height = width, height
            image = np.zeros((height, width, 3), dtype=np.uint8)
            for _ in range(30):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
            container.mux(stream.encode())
        return pipeline(dict(filename=str(path), start_index=0, modality='RGB', label=0))


def markdown_table(rows: list[list[str]]) -> str:
    """Format rows of cells, of which the first is the header, for people and for Markdown."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['| ' + ' | '.join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + ' |'
             for row in rows]
    rule = ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])]
    return '\n'.join([lines[0], '| ' + ' | '.join(rule) + ' |', *lines[1:]])
