"""Our registries are children of MMAction2's: ``default_scope='avgn_mm'`` is all a config needs."""

import logging

import mmaction.registry
import mmengine.registry
import pytest
from mmengine.registry import DefaultScope, Registry

import avgn_mm.registry
from avgn_mm.registry import LOOPS, METRICS, MODELS, OPTIMIZERS, TRANSFORMS

MIRRORED = [
    name for name, value in vars(mmaction.registry).items()
    if isinstance(value, Registry) and not name.startswith('MMENGINE_')
]


@pytest.fixture
def warnings(monkeypatch):
    """What MMEngine's registries say at WARNING or above; its logger hands nothing to pytest."""
    said = []

    def record(message, logger=None, level=logging.INFO):
        if level >= logging.WARNING:
            said.append(message)

    monkeypatch.setattr('mmengine.logging.print_log', record)
    return said


@pytest.fixture
def scope():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


@pytest.mark.parametrize('name', MIRRORED)
def test_every_registry_is_mirrored(name):
    ours, theirs = getattr(avgn_mm.registry, name), getattr(mmaction.registry, name)
    assert ours.parent is theirs
    assert (ours.scope, ours.name) == ('avgn_mm', theirs.name)
    assert theirs.children['avgn_mm'] is ours


@pytest.mark.parametrize('type_name, module', [
    ('AVGN', 'avgn_mm.models.recognizers.avgn'),
    ('avgn_mm.AVGN', 'avgn_mm.models.recognizers.avgn'),
    ('GlanceMobileNetV2', 'avgn_mm.models.backbones.glance_mobilenet_v2'),
    ('MobileNetV2', 'mmaction.models.backbones.mobilenet_v2'),
    ('mmaction.MobileNetV2', 'mmaction.models.backbones.mobilenet_v2'),
    ('TSNHead', 'mmaction.models.heads.tsn_head'),
    ('mmaction.TSNHead', 'mmaction.models.heads.tsn_head'),
])
def test_type_strings_of_models(scope, warnings, type_name, module):
    assert MODELS.get(type_name).__module__ == module
    # MMAction2's own classes build their parts with its registry.
    assert mmaction.registry.MODELS.get('avgn_mm.AVGN') is MODELS.get('AVGN')
    assert warnings == []


@pytest.mark.parametrize('registry, type_name', [
    (TRANSFORMS, 'PackActionInputs'), (TRANSFORMS, 'mmaction.PackActionInputs'),
    (METRICS, 'AccMetric'), (LOOPS, 'EpochBasedTrainLoop'), (OPTIMIZERS, 'SGD'),
])
def test_inherited_type_strings(scope, warnings, registry, type_name):
    assert registry.get(type_name) is not None
    assert warnings == []


@pytest.mark.parametrize('type_name', ['TSNHead', 'mmaction.TSNHead'])
def test_inner_parts_of_mmaction_are_found(scope, warnings, type_name):
    """TSNHead builds its default CrossEntropyLoss inside; sibling registries fail here."""
    head = MODELS.build(dict(type=type_name, num_classes=3, in_channels=4))
    assert type(head.loss_cls).__module__ == 'mmaction.models.losses.cross_entropy_loss'
    assert warnings == []


def test_our_parts_inside_mmaction(scope, warnings):
    model = MODELS.build(dict(
        type='Recognizer2D',
        backbone=dict(type='ConvStack', channels=(4, 4), strides=(2, 2)),
        cls_head=dict(type='TSNHead', num_classes=3, in_channels=4)))
    assert type(model.backbone).__module__ == 'avgn_mm.models.backbones.conv_stack'
    assert warnings == []


@pytest.mark.parametrize('name', [n for n in MIRRORED if hasattr(mmengine.registry, n)])
def test_runner_warns_of_no_registry(scope, warnings, monkeypatch, name):
    """A runner builds loops, hooks, optimizers and all else from MMEngine's root registries."""
    ours, root = getattr(avgn_mm.registry, name), getattr(mmengine.registry, name)
    monkeypatch.setattr(ours, '_imported', False)
    with root.switch_scope_and_registry('avgn_mm') as switched:
        assert switched is ours
        switched.import_from_location()
    assert warnings == []


def test_a_missing_registry_would_be_noticed(scope, warnings):
    lonely = Registry('lonely', scope='mmengine')
    with lonely.switch_scope_and_registry('avgn_mm'):
        pass
    assert 'Failed to search registry' in warnings[0]


def test_unknown_type_is_a_key_error(scope):
    with pytest.raises(KeyError, match='NoSuchModel'):
        MODELS.build(dict(type='NoSuchModel'))
