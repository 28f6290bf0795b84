"""A training that was cut off and resumed is the unbroken one, number by number."""

import pytest
import torch

from tests.engine import toy

STEPS = 3 * 4  # epochs of 7 points in batches of 2


def train(work_dir, **options):
    seen = toy.Seen()
    hooks = options.pop('hooks', [])
    runner = toy.runner(work_dir, hooks=[seen, *hooks], **options)
    try:
        runner.train()
    except toy.Killed:
        pass
    return runner, seen


def weights(runner):
    return torch.cat([parameter.detach().flatten() for parameter in runner.model.parameters()])


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory):
    return train(tmp_path_factory.mktemp('unbroken'))


def test_every_epoch_shows_every_sample_once(unbroken):
    _, seen = unbroken
    assert [step[2] for step in seen.iterations] == list(range(STEPS))
    for epoch in range(3):
        names = sum((step[3] for step in seen.iterations if step[0] == epoch), [])
        assert sorted(names) == [f'{i}.mp4' for i in range(7)]
    augmented = {name: set() for name in names}
    for step in seen.iterations:
        for name, value in zip(step[3], step[4]):
            augmented[name].add(value)
    assert all(len(values) == 3 for values in augmented.values())  # anew in each epoch


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_change_nothing(unbroken, tmp_path, workers):
    runner, seen = train(tmp_path, workers=workers)
    assert seen.iterations == unbroken[1].iterations
    assert torch.equal(weights(runner), weights(unbroken[0]))


@pytest.mark.parametrize('point, at, checkpoint', [
    ('after_train_iter', ('iter', 1), {}),  # before any checkpoint
    ('after_train_iter', ('iter', 6), {}),
    ('before_save_checkpoint', ('epoch', 1), {}),
    ('after_train_epoch', ('epoch', 1), {}),
    ('before_val_epoch', ('epoch', 2), {}),
    ('after_train_iter', ('iter', 6), dict(by_epoch=False)),
    ('after_train_iter', ('iter', 7), dict(by_epoch=False)),  # with the end of an epoch
    ('before_train_epoch', ('epoch', 2), dict(by_epoch=False, interval=3)),
])
def test_resumed_is_unbroken(unbroken, tmp_path, point, at, checkpoint):
    _, before = train(tmp_path, hooks=[toy.Kill(point, at)], checkpoint=checkpoint)
    assert len(before.iterations) < STEPS
    runner, after = train(tmp_path, resume=True, checkpoint=checkpoint)
    first = after.iterations[0][2]
    assert after.iterations == unbroken[1].iterations[first:]
    assert before.iterations == unbroken[1].iterations[:len(before.iterations)]
    assert first <= len(before.iterations)
    if checkpoint == dict(by_epoch=False):
        assert first == at[1] + 1
    assert torch.equal(weights(runner), weights(unbroken[0]))
    assert sorted(set(before.validations + after.validations)) == unbroken[1].validations
    losses = [run.message_hub.get_scalar('train/loss')._log_history
              for run in (runner, unbroken[0])]
    assert (losses[0] == losses[1]).all()


def test_a_seed_that_nobody_chose_is_kept(tmp_path):
    runner, seen = train(tmp_path, seed=None, hooks=[toy.Kill('after_train_iter', ('iter', 5))])
    resumed, after = train(tmp_path, seed=None, resume=True)
    assert resumed.seed == runner.seed
    assert after.iterations[:2] == seen.iterations[4:6]


def test_missed_validation_is_made_good_once(tmp_path):
    train(tmp_path, hooks=[toy.Kill('before_val_epoch', ('epoch', 2))])
    _, seen = train(tmp_path, resume=True)
    assert [epoch for epoch, _ in seen.validations] == [2, 3]
    _, seen = train(tmp_path, resume=True)  # all was done, and is known to be
    assert seen.validations == [] or seen.validations == [(3, 5)]


def test_ranks_may_draw_differently(unbroken, tmp_path, monkeypatch):
    """With diff_rank_seed a rank's model draws its own numbers, but all shuffle alike."""
    monkeypatch.setattr('mmengine.runner.utils.get_rank', lambda: 4)
    monkeypatch.setattr('avgn_mm.engine.loops.get_rank', lambda: 4)
    runner, seen = train(tmp_path, randomness=dict(seed=3, diff_rank_seed=True))
    assert runner.seed == 7
    assert [step[:5] for step in seen.iterations] == [step[:5] for step in unbroken[1].iterations]
    assert seen.iterations[0][5] != unbroken[1].iterations[0][5]


def test_loss_that_is_no_number_stops_before_it_is_saved(unbroken, tmp_path):
    files = unbroken[1].iterations[2][3]
    runner = toy.runner(tmp_path, dataset=toy.Points(broken=[int(files[1][0])]),
                        checkpoint=dict(by_epoch=False, save_best=None))
    with pytest.raises(FloatingPointError) as caught:
        runner.train()
    assert str(caught.value) == (
        f'loss_cls is nan at iteration 3 (epoch 1, batch 3 of 4), whose files are {files[0]}, '
        f'{files[1]}. No checkpoint was written after it. Look at these files, or lower the '
        'learning rate, and go on with --resume')
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']
