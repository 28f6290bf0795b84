"""The cost of recognizers that do not state it: counted once a shape, and without a trace."""

from types import SimpleNamespace

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from avgn_mm.registry import HOOKS, METRICS, MODELS
from tests import tiny


@pytest.fixture(autouse=True)
def scope_and_seed():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


def tsn():
    """For 8 x 8 frames 4 x 4 x 4 outputs of 3 x 9 products each; the head has 4 x 5."""
    return MODELS.build(dict(
        type='Recognizer2D',
        backbone=dict(type='ConvStack', channels=(4, ), strides=(2, )),
        cls_head=dict(type='TSNHead', num_classes=5, in_channels=4, average_clips='prob'))).eval()


def loaded(*shapes):
    """A batch as the data loader gives it."""
    return dict(inputs=[torch.randint(256, shape, dtype=torch.uint8) for shape in shapes],
                data_samples=[ActionDataSample(metainfo=dict(num_classes=5)).set_gt_label(1)
                              for _ in shapes])


def run(hook, model, batch):
    """What a test loop does; MMAction2's samples as the metrics get them."""
    hook.before_test_iter(SimpleNamespace(model=model), 0, batch)
    model = getattr(model, 'module', model)
    with torch.no_grad():
        return [sample.to_dict() for sample in model.test_step(batch)]


def count_runs(model):
    runs = []
    model.backbone.register_forward_pre_hook(lambda _, args: runs.append(len(args[0])))
    return runs


def test_tsn_by_hand():
    # TSNHead averages the frames before its linear layer.
    metric = METRICS.build(dict(type='CostMetric'))
    metric.process({}, run(HOOKS.build(dict(type='CostHook')), tsn(), loaded((3, 3, 8, 8))))
    macs = 3 * 4 * 4 * 4 * 27 + 20
    assert metric.evaluate(1)['cost/gmacs_mean'] == pytest.approx(macs / 1e9, rel=1e-9)


def test_each_shape_is_counted_once():
    hook, model = HOOKS.build(dict(type='CostHook')), torch.nn.DataParallel(tsn())
    runs = count_runs(model.module)
    small = run(hook, model, loaded((3, 3, 8, 8), (3, 3, 8, 8)))
    large = run(hook, model, loaded((6, 3, 8, 8)))
    again = run(hook, model, loaded((3, 3, 8, 8)))
    assert runs == [3, 6, 6, 6, 3]  # frames: counted, run; counted, run; run
    assert small[0]['gmacs'] == small[1]['gmacs'] == again[0]['gmacs'] < large[0]['gmacs']


def test_clips_of_slowonly_are_included():
    model = MODELS.build(dict(
        type='Recognizer3D',
        backbone=dict(type='ResNet3dSlowOnly', depth=18, pretrained=None, base_channels=4,
                      lateral=False, norm_eval=False),
        cls_head=dict(type='I3DHead', num_classes=5, in_channels=32, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW')))
    model.eval()
    hook = HOOKS.build(dict(type='CostHook'))
    one, three = (run(hook, model, loaded((n, 3, 2, 32, 32)))[0]['gmacs'] for n in (1, 3))
    assert 0 < one and three == pytest.approx(3 * one)


def test_results_are_the_same_as_without():
    model, batch = tsn(), loaded((3, 3, 8, 8), (3, 3, 8, 8))
    with torch.no_grad():
        before = [sample.pred_score for sample in model.test_step(batch)]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    after = run(HOOKS.build(dict(type='CostHook')), model, batch)
    assert all(torch.equal(x, y['pred_score']) for x, y in zip(before, after))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    # What the model wrote on its copy while it was counted has not reached the batch.
    assert not hasattr(batch['data_samples'][0], 'pred_score')


def test_a_model_that_states_its_cost_keeps_it():
    model = tiny.avgn(data_preprocessor=dict(type='MultiModalDataPreprocessor', preprocessors={
        name: dict(type='ActionDataPreprocessor') for name in ('imgs', 'audios')})).eval()
    inputs, samples = tiny.batch()
    batch = dict(inputs={name: list(value) for name, value in inputs.items()},
                 data_samples=samples)
    with torch.no_grad():
        alone = [sample.gmacs for sample in model.test_step(batch)]
    hook = HOOKS.build(dict(type='CostHook'))
    assert [sample['gmacs'] for sample in run(hook, model, batch)] == alone
    assert 'gmacs' not in batch['data_samples'][0]


def test_temperature_of_each_epoch():
    hook = HOOKS.build(dict(type='TemperatureHook', start=5.0, decay=0.045))
    model = torch.nn.Identity()
    model.tau = 1.0
    wrapped = torch.nn.DataParallel(model)
    # 5 * exp(-0.45) after ten epochs of AR-Net.
    for runs, epoch, tau in ((model, 0, 5.0), (wrapped, 1, 4.779987), (model, 10, 3.188141)):
        hook.before_train_epoch(SimpleNamespace(model=runs, epoch=epoch))
        assert model.tau == pytest.approx(tau, rel=1e-6)


def test_temperature_needs_sense():
    with pytest.raises(ValueError, match='start > 0 and decay >= 0, got 0 and 1'):
        HOOKS.build(dict(type='TemperatureHook', start=0, decay=1))
    hook = HOOKS.build(dict(type='TemperatureHook', start=1, decay=0))
    with pytest.raises(AttributeError, match='tau, which Identity lacks'):
        hook.before_train_epoch(SimpleNamespace(model=torch.nn.Identity(), epoch=0))
