"""The tests of a trained model that a study keeps: accuracy and computation at many budgets.

Recognizers with ``predict_budgets`` (AVGN and AdaFocusV2) are swept in one pass; all others are
asked at one number of frames after the other, in one pass over the data too.
"""

import copy
import os.path as osp
from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, load_checkpoint
from torch import nn

from avgn_mm.engine.analysis import build_model
from avgn_mm.engine.weights import check_weights

from .ablations import PatchReadout
from .budgets import check_budgets, sweep

COST = ('cost/gmacs_mean', 'cost/frames_encoded', 'cost/frames_focused')


def load_model(cfg: Config, checkpoint: str) -> nn.Module:
    """The config's model with a checkpoint's weights, all of them, in eval mode."""
    model = build_model(cfg)
    check_weights(model, load_checkpoint(model, checkpoint, map_location='cpu'), checkpoint)
    return model.to(get_device())


@torch.no_grad()
def evaluate(cfg: Config, model: nn.Module, num_focus: Sequence[int | None]
             ) -> list[dict[str, float]]:
    """The config's own test at several ``test_cfg.num_focus``, from one pass over the videos.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``.
        model (nn.Module): A recognizer of this package, in eval mode.
        num_focus (Sequence[int | None]): The k; None leaves the choice to the model.
    """
    data_loader = Runner.build_dataloader(cfg.test_dataloader)
    evaluators = [Evaluator(copy.deepcopy(cfg.test_evaluator)) for _ in num_focus]
    for evaluator in evaluators:
        evaluator.dataset_meta = getattr(data_loader.dataset, 'metainfo', None)
    own = model.test_cfg.get('num_focus')
    try:
        for batch in data_loader:
            batch = model.data_preprocessor(batch, False)
            for k, evaluator in zip(num_focus, evaluators):
                model.test_cfg['num_focus'] = k
                samples = model.predict(batch['inputs'], copy.deepcopy(batch['data_samples']))
                evaluator.process(data_samples=samples, data_batch=batch)
    finally:
        model.test_cfg['num_focus'] = own
    return [evaluator.evaluate(len(data_loader.dataset)) for evaluator in evaluators]


def corrupt_audio(cfg: Config, **corruption) -> Config:
    """The config with its test videos' sound corrupted.

    Args:
        cfg (Config): With ``DecodeAudio`` in its test pipeline, or without sound altogether.
        **corruption: Arguments of ``CorruptAudio``; what it takes the wrong sound from is the test
            set.
    """
    cfg = copy.deepcopy(cfg)
    dataset = cfg.test_dataloader.dataset
    step = dict(type='CorruptAudio', **corruption)
    if corruption['mode'] == 'wrong':
        root = dataset.get('data_root') or ''
        step.update(ann_file=osp.join(root, dataset.ann_file),
                    data_prefix=dict(video=osp.join(root, dataset.data_prefix['video'])),
                    cache_bytes=dataset.pipeline[0].get('cache_bytes', 0))
    decoders = [index for index, old in enumerate(dataset.pipeline)
                if old['type'].removeprefix('avgn_mm.') == 'DecodeAudio']
    for index in reversed(decoders):
        dataset.pipeline.insert(index + 1, step)
    return cfg


def measure_budgets(cfg: Config, model: nn.Module, num_glances: Sequence[int] = (),
                    num_focus: Sequence[int] = (), chooses: bool = False) -> dict:
    """Accuracy and computation at each budget, and all metrics at the config's own.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``.
        model (nn.Module): In eval mode.
        num_glances (Sequence[int]): T_G beside the config's, of models that glance.
        num_focus (Sequence[int]): The k for models without ``predict_budgets``; those they cannot
            take are left out.
        chooses (bool): Whether the model, at its config's own setting, chooses by itself.

    Returns:
        dict: ``num_videos``; ``metric``, the name of the accuracy; ``num_glances`` and
        ``num_focus`` of the config; ``metrics``; ``cells``: dicts with ``num_glances`` (None for
        models that have none such), ``num_focus`` (None where the model chose), the metric,
        ``gmacs``, ``frames_encoded`` and ``frames_focused``.
    """
    own = None if chooses else model.test_cfg.get('num_focus')
    if hasattr(model, 'predict_budgets'):
        glances = 0
        if model.temporal_glance is not None:
            glances = model.test_cfg.get('num_glances') or model.num_frames
        wanted = {glances, *(n for n in num_glances if n <= model.num_frames)}
        swept = sweep(cfg, model, check_budgets(
            model, dict.fromkeys(wanted, range(1, model.num_frames + 1))))
        (metrics, ) = evaluate(cfg, model, [own])
        return dict(num_videos=swept['num_videos'], metric=swept['metric'], num_glances=glances,
                    num_focus=own, metrics=plain(metrics), cells=[*map(plain, swept['cells'])])
    most = cfg.model.get('num_focus', model.num_frames)
    settings = [*dict.fromkeys([own, *(k for k in num_focus if k <= most)])]
    found = evaluate(cfg, model, settings)
    metric = next(name for name in found[0] if name.startswith('acc/'))
    cells = []
    for k, metrics in zip(settings, found):
        costs = {name.removeprefix('cost/').removesuffix('_mean'): metrics[name]
                 for name in COST if name in metrics}
        cells.append(plain(dict(num_focus=k, **{metric: metrics[metric]}, **costs)))
    return dict(num_videos=len(Runner.build_dataloader(cfg.test_dataloader).dataset),
                metric=metric, num_glances=None, num_focus=own, metrics=plain(found[0]),
                cells=cells)


@torch.no_grad()
def measure_patches(cfg: Config, model: nn.Module) -> dict:
    """Table 6: accuracy of the patches alone, at each k; what they cost is not counted."""
    # The sweep counts all the same, once for each shape: so before the classifier is another.
    batch = model.data_preprocessor(next(iter(Runner.build_dataloader(cfg.test_dataloader))), False)
    model.cost.units(*model.unpack(batch['inputs']))
    model.cls_head.classifier = PatchReadout(model.cls_head)
    number = 0 if model.temporal_glance is None else (
        model.test_cfg.get('num_glances') or model.num_frames)
    swept = sweep(cfg, model, check_budgets(model, {number: range(1, model.num_frames + 1)}))
    cells = [{name: value for name, value in plain(cell).items() if name != 'gmacs'}
             for cell in swept['cells']]
    return dict(num_videos=swept['num_videos'], metric=swept['metric'], num_glances=number,
                cells=cells)


def measure_exits(cfg: Config, model: nn.Module, exits: dict) -> dict:
    """Early exit with thresholds that were solved on the training split.

    Args:
        cfg (Config): With ``test_dataloader`` and ``test_evaluator``.
        model (nn.Module): In eval mode.
        exits (dict): The content of the thresholds file. Of its family every other member is kept,
            and the one that it chose stands beside them without its ``power``.
    """
    family = [member for i, member in enumerate(exits['family']) if i % 2 == 0]
    chosen = dict(power=exits['power'], thresholds=exits['thresholds'])
    swept = sweep(cfg, model, {}, dict(exits, family=[*family, chosen]))
    *cells, own = map(plain, swept['exits'])
    own['chosen_power'] = own.pop('power')
    return dict(num_videos=swept['num_videos'], metric=swept['metric'],
                num_glances=exits['num_glances'], cells=[*cells, own])


def plain(values: dict) -> dict:
    """Numbers as they are worth keeping."""
    return {name: round(float(value), 6) if isinstance(value, float) or hasattr(value, 'dtype')
            else value for name, value in values.items()}
