"""There is always a good checkpoint: in the midst of a save, on a full disk, after bad weights."""

import errno
import os
import resource

import pytest
import torch
from mmengine.runner import find_latest_checkpoint

from tests.engine import toy


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != '.py')


def saved(tmp_path, *hooks, **options):
    runner = toy.runner(tmp_path, hooks=hooks, **options)
    with pytest.raises((toy.Killed, OSError)) as caught:
        runner.train()
    return caught.value


def fail_at(monkeypatch, number, function, error):
    """Let the n-th call of a function that a save needs fail."""
    calls, real = [], getattr(os, function)

    def call(*args):
        calls.append(args)
        if len(calls) == number:
            raise error
        return real(*args)

    monkeypatch.setattr(os, function, call)


@pytest.mark.parametrize('function', ['fsync', 'replace'])
def test_a_kill_within_a_save_keeps_the_last_one(tmp_path, monkeypatch, function):
    toy.runner(tmp_path, checkpoint=dict(max_keep_ckpts=1, save_best=None),
               train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1)).train()
    fail_at(monkeypatch, 1, function, toy.Killed())
    saved(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1, save_best=None))
    assert find_latest_checkpoint(str(tmp_path)).endswith('epoch_1.pth')
    assert 'state_dict' in torch.load(tmp_path / 'epoch_1.pth')


def test_outdated_checkpoints_go_and_leave_nothing(tmp_path):
    (tmp_path / 'epoch_1.pth.77.partial').write_bytes(b'left over by a kill')
    toy.runner(tmp_path, checkpoint=dict(max_keep_ckpts=2), scores=[1, 2],
               param_scheduler=None,
               train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=2)).train()
    assert names(tmp_path) == ['best_count_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth',
                               'last_checkpoint']


def test_what_a_kill_kept_from_removal_goes_later(tmp_path, monkeypatch):
    toy.runner(tmp_path, checkpoint=dict(max_keep_ckpts=1),
               train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1)).train()
    fail_at(monkeypatch, 1, 'remove', toy.Killed())
    saved(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1))
    assert {'epoch_1.pth', 'epoch_2.pth'} <= set(names(tmp_path))
    toy.runner(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1)).train()
    assert [name for name in names(tmp_path) if name.startswith('epoch')] == ['epoch_3.pth']


def test_best_is_kept_until_a_better_one_is_there(tmp_path, monkeypatch):
    options = dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2), scores=[1, 2])
    kill = toy.Kill('before_save_checkpoint', ('none', None))
    saves = []

    def at_save(runner, checkpoint):
        saves.append(names(tmp_path))
        if len(saves) == 5:  # epoch 1, best, epoch 1 again, epoch 2, best
            raise toy.Killed

    kill.before_save_checkpoint = at_save
    saved(tmp_path, kill, **options)
    assert 'best_count_epoch_1.pth' in names(tmp_path)
    toy.runner(tmp_path, resume=True, **{**options, 'scores': [2]}).train()
    assert [name for name in names(tmp_path) if 'best' in name] == ['best_count_epoch_2.pth']


@pytest.mark.parametrize('by_epoch', [True, False])
def test_last_checkpoint_knows_the_best_of_a_validation_made_good(tmp_path, by_epoch):
    options = dict(checkpoint=dict(by_epoch=by_epoch),
                   train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=2))
    saved(tmp_path, toy.Kill('before_val_epoch', ('epoch', 2)), **options)
    toy.runner(tmp_path, resume=True, **options).train()
    last = torch.load(find_latest_checkpoint(str(tmp_path)))
    assert last['message_hub']['runtime_info'].get('best_ckpt') == str(
        tmp_path / ('best_count_epoch_2.pth' if by_epoch else 'best_count_iter_8.pth'))


def test_full_disk(tmp_path, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # A checkpoint: file, folder; `last_checkpoint`: file, folder.
    fail_at(monkeypatch, 5, 'fsync', full)
    error = saved(tmp_path, checkpoint=dict(save_best=None))
    assert error.errno == errno.ENOSPC
    assert str(error) == (
        f'[Errno 28] cannot save {tmp_path}/epoch_2.pth: No space left on device. Make room and go '
        f'on with --resume from the last good checkpoint, {tmp_path}/epoch_1.pth')
    assert names(tmp_path) == ['epoch_1.pth', 'last_checkpoint']


def test_file_that_may_not_grow(tmp_path):
    """A limit of the system that a write really meets."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        error = saved(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert 'epoch_1.pth: File too large. Make room and begin anew: no checkpoint' in str(error)
    assert names(tmp_path) == []


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    class Spoil(toy.Seen):
        def after_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 7:  # the last one of the second epoch
                runner.model.fc.bias.data[1] = float('inf')

    with pytest.raises(FloatingPointError, match=r'fc\.bias is not finite after iteration 8, '
                       r'nothing was saved\. .*good checkpoint, .*epoch_1\.pth'):
        toy.runner(tmp_path, hooks=[Spoil()]).train()
    assert 'epoch_2.pth' not in names(tmp_path)


def test_other_loops_are_said_to_be_inexact(tmp_path, monkeypatch):
    said = []
    runner = toy.runner(tmp_path, train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
                        param_scheduler=None, val_cfg=None, val_dataloader=None,
                        val_evaluator=None, checkpoint=dict(save_best=None))
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    runner.train()
    assert any('IterBasedTrainLoop can be resumed, but not exactly' in text for text in said)
