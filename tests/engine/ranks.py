"""Run a function on several ranks over gloo, in processes forked from one that has all imported.

``python -m tests.engine.ranks FOLDER`` does what ``test_ranks.py`` looks at: it trains a small AVGN
on one rank and on two with the same global batch, and evaluates sets of several sizes on two.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import torch
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from torch import nn
from torch.utils.data import Dataset

import avgn_mm.registry  # noqa: F401
from tests import tiny
from tests.engine import toy
from tests.tiny_set import PREPROCESSOR

SIZES = (1, 2, 3, 5)


class Clips(Dataset):
    """Frames and sound that follow from the index."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        size = (tiny.NUM_FRAMES, 3, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE)
        inputs = dict(
            imgs=torch.randint(256, size, dtype=torch.uint8, generator=generator),
            audios=torch.randn(tiny.NUM_FRAMES, 1, 24, 16, generator=generator))
        sample = ActionDataSample(metainfo=dict(filename=f'{index}.mp4'))
        return dict(inputs=inputs, data_samples=sample.set_gt_label(index % tiny.NUM_CLASSES))


class Record(Hook):
    """Hold batch statistics still, and note each iteration's losses and files."""

    def __init__(self):
        self.losses, self.files = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.eval()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({name: float(value.detach()) for name, value in outputs.items()})
        self.files.append(sorted(sample.filename for sample in data_batch['data_samples']))


def on_ranks(number, folder, function):
    """Fork ``number`` processes, join them in a group and collect what the function returns."""
    folder.mkdir()
    processes = []
    for rank in range(number):
        process = os.fork()
        if not process:
            try:
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(number))
                store = torch.distributed.FileStore(str(folder / 'store'), number)
                torch.distributed.init_process_group(
                    'gloo', store=store, rank=rank, world_size=number)
                result = function(folder / 'work')
                (folder / f'{rank}.json').write_text(json.dumps(result))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        processes.append(process)
    codes = [os.waitpid(process, 0)[1] for process in processes]
    if any(codes):
        raise RuntimeError(f'ranks ended with {codes}')
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(number)]


def options(world_size):
    return dict(launcher='pytorch', cfg=dict(model_wrapper_cfg=dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
        find_unused_parameters=True))) if world_size > 1 else {}


def train(work_dir):
    """Two epochs of an AVGN that draws T_G anew for each batch, a global batch of 4."""
    world_size = torch.distributed.get_world_size()
    # What is drawn for each video of a batch would differ between batches of 4 and of 2.
    model = tiny.avgn_config(
        data_preprocessor=PREPROCESSOR, ordered_loss=None, train_cfg=dict(num_glances=None),
        cls_head=dict(type='AVGNHead', num_classes=tiny.NUM_CLASSES, hidden_channels=32,
                      dropout_ratio=0.0))
    record = Record()
    loader = dict(batch_size=4 // world_size, num_workers=0, dataset=Clips(),
                  collate_fn=dict(type='pseudo_collate'),
                  sampler=dict(type='DefaultSampler', shuffle=True))
    runner = toy.runner(
        work_dir, hooks=[record], model=model, train_dataloader=loader, val_dataloader=None,
        val_cfg=None, val_evaluator=None, checkpoint=dict(save_best=None), param_scheduler=None,
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2), **options(world_size))
    runner.train()
    weights = torch.cat([parameter.detach().flatten() for parameter in runner.model.parameters()])
    return dict(losses=record.losses, files=record.files, weights=weights.tolist())


def evaluate(work_dir):
    """How many videos, and how many distinct ones, a metric sees in sets of several sizes."""
    found = {}
    for size in SIZES:
        loader = dict(batch_size=2, num_workers=0, dataset=toy.Points(size),
                      collate_fn=dict(type='pseudo_collate'),
                      sampler=dict(type='DefaultSampler', shuffle=False))
        runner = toy.runner(
            work_dir, test_dataloader=loader, test_cfg=dict(type='TestLoop'),
            test_evaluator=[toy.Count()], **options(2))
        metrics = runner.test()
        found[size] = [metrics['count'], metrics['distinct']]
    return found


def main():
    folder = Path(sys.argv[1])
    os.chdir(folder)  # where MMEngine collects results
    torch.set_num_threads(1)
    results = dict(one=on_ranks(1, folder / 'one', train), two=on_ranks(2, folder / 'two', train),
                   evaluated=on_ranks(2, folder / 'evaluated', evaluate))
    (folder / 'results.json').write_text(json.dumps(results))


if __name__ == '__main__':
    main()
