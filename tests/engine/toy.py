"""A model of a few numbers whose training draws at random wherever AVGN's does."""

import itertools
import random

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

_NUMBER = itertools.count()


class Points(Dataset):
    """Points that every sample moves, by each of the three generators."""

    metainfo = dict(classes=('a', 'b'))

    def __init__(self, size=7, broken=()):
        self.size = size
        self.broken = broken

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        moved = index + random.random() + np.random.rand() + torch.rand(()).item()
        value = float('nan') if index in self.broken else moved
        sample = ActionDataSample(metainfo=dict(filename=f'{index}.mp4')).set_gt_label(index % 2)
        return dict(inputs=torch.tensor([value]), data_samples=sample)


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 2)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[0.1], [-0.2]]))
            self.fc.bias.zero_()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        inputs = torch.stack(list(inputs)) / 10
        if mode != 'loss':
            return data_samples
        labels = torch.cat([sample.gt_label for sample in data_samples])
        noise = torch.rand(()) * torch.nn.functional.dropout(inputs, 0.5)
        return dict(loss_cls=torch.nn.functional.cross_entropy(self.fc(inputs + noise), labels))


class Count(BaseMetric):
    """How many samples were evaluated, or the next of some given scores."""

    def __init__(self, scores=None):
        super().__init__()
        self.scores = scores

    def process(self, data_batch, data_samples):
        self.results += [sample['filename'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(count=len(results) if self.scores is None else self.scores.pop(0),
                    distinct=len(set(results)))


class Seen(Hook):
    """What every iteration saw and what came of it."""

    def __init__(self):
        self.iterations = []
        self.validations = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        names = [sample.filename for sample in data_batch['data_samples']]
        values = [float(value) for value in data_batch['inputs']]
        rate = runner.optim_wrapper.get_lr()['lr']
        self.iterations.append(
            (runner.epoch, batch_idx, runner.iter, names, values, outputs['loss'].item(), rate))

    def after_val_epoch(self, runner, metrics=None):
        self.validations.append((runner.epoch, metrics['count']))


class Killed(Exception):
    pass


class Kill(Hook):
    """End a training by an error at a point that a test chooses."""

    priority = 'LOWEST'

    def __init__(self, point, at):
        self.at = at
        setattr(self, point, self._kill)

    def _kill(self, runner, *args, **kwargs):
        if (runner.iter, runner.epoch)[self.at[0] == 'epoch'] == self.at[1]:
            raise Killed


def runner(work_dir, *, hooks=(), dataset=None, checkpoint=None, seed=3, workers=0, scores=None,
           **changes) -> Runner:
    loader = dict(batch_size=2, num_workers=workers, collate_fn=dict(type='pseudo_collate'))
    return Runner(**{**dict(
        model=Toy(), work_dir=str(work_dir), default_scope='avgn_mm',
        train_dataloader=dict(loader, dataset=dataset or Points(), persistent_workers=workers > 0,
                              sampler=dict(type='DefaultSampler', shuffle=True)),
        val_dataloader=dict(loader, num_workers=0, dataset=Points(5),
                            sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=2),
        val_cfg=dict(type='ValLoop'), val_evaluator=[Count(scores)],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(type='OneCycleLR', eta_max=0.2, total_steps=3, by_epoch=True,
                             convert_to_iter_based=True),
        default_hooks=dict(logger=None, checkpoint=dict(
            **{**dict(type='CheckpointHook', interval=1, save_best='count', rule='greater'),
               **(checkpoint or {})})),
        custom_hooks=list(hooks), randomness=dict(seed=seed), log_level='ERROR',
        experiment_name=f'toy{next(_NUMBER)}'), **changes})
