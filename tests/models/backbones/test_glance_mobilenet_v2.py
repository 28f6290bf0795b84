"""f_G and f_A (eq. 1), and the weights that they and f_L start from."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from avgn_mm.models.backbones import GlanceMobileNetV2
from avgn_mm.registry import MODELS

SHARED_WEIGHTS = (
    Path(__file__).parents[4] / 'shared' / 'data' / 'weights' / 'mobilenet_v2_imagenet_tfpad.pth')


def pretrained(path, **kwargs) -> nn.Module:
    model = GlanceMobileNetV2(
        init_cfg=dict(type='Pretrained', checkpoint=str(path)), **kwargs)
    model.init_weights()
    model.eval()  # MMAction2's train() returns None
    return model


def save(path, network) -> nn.Module:
    """Save a torchvision network whose BN statistics are not the initial ones."""
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 64, 64))
    torch.save(network.state_dict(), path)
    return network.eval()


@pytest.fixture(scope='module')
def mobilenet(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'mobilenet_v2.pth'
    return path, save(path, torchvision.models.mobilenet_v2(weights=None)).features


@pytest.mark.parametrize('in_channels, size, map_size', [
    (3, (224, 224), (7, 7)),
    (1, (96, 64), (3, 2)),
])
def test_map_sizes(in_channels, size, map_size):
    model = GlanceMobileNetV2(in_channels=in_channels)
    model.eval()
    with torch.no_grad():
        assert model(torch.randn(2, in_channels, *size)).shape == (2, 1280, *map_size)


@torch.no_grad()
def test_torchvision_checkpoint_gives_torchvision_features(mobilenet):
    path, features = mobilenet
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(pretrained(path)(images), features(images))


@torch.no_grad()
def test_one_channel_stem_is_the_mean_of_the_rgb_kernels(mobilenet):
    path, features = mobilenet
    model = pretrained(path, in_channels=1)
    torch.testing.assert_close(model.conv1.conv.weight[:, 0], features[0][0].weight.mean(dim=1))
    # A grey image whose three channels each hold a third of the window.
    window = torch.randn(2, 1, 96, 64)
    grey = (window / 3).expand(-1, 3, -1, -1)
    torch.testing.assert_close(model(window), features(grey), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('in_channels', [1, 3])
def test_own_checkpoint_loads(tmp_path, mobilenet, in_channels):
    saved = pretrained(mobilenet[0], in_channels=in_channels)
    path = tmp_path / 'own.pth'
    torch.save(dict(state_dict=saved.state_dict(), meta=dict(epoch=3)), path)
    loaded = pretrained(path, in_channels=in_channels).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in saved.state_dict().items())


def test_checkpoint_without_batch_counts_loads(tmp_path, mobilenet):
    weights = torch.load(mobilenet[0], weights_only=True)
    path = tmp_path / 'old.pth'
    torch.save({k: v for k, v in weights.items() if 'num_batches' not in k}, path)
    assert torch.equal(pretrained(path).conv2.bn.running_var,
                       weights['features.18.1.running_var'])


def test_wrong_checkpoints_are_named(tmp_path, mobilenet):
    path = tmp_path / 'resnet18.pth'
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    with pytest.raises(ValueError, match=r'resnet18\.pth holds 100 tensors besides a classifier, '
                                         r'MobileNetV2 has 260: it is of another network'):
        pretrained(path)
    with pytest.raises(ValueError, match=r'mobilenet_v2\.pth: features\.0\.0\.weight of shape '
                                         r'\(32, 3, 3, 3\) stands where conv1\.conv\.weight of '
                                         r'shape \(16, 3, 3, 3\) should'):
        pretrained(mobilenet[0], widen_factor=0.5)


def test_checkpoint_in_another_order_is_refused(tmp_path, mobilenet):
    """The four tensors of a batch norm have one shape, so that shapes alone would not tell."""
    weights = torch.load(mobilenet[0], weights_only=True)
    path = tmp_path / 'sorted.pth'
    torch.save(dict(sorted(weights.items())), path)
    with pytest.raises(ValueError, match=r'sorted\.pth: features\.0\.1\.bias of shape \(32,\) '
                                         r'stands where conv1\.bn\.weight of shape \(32,\) should'):
        pretrained(path)


def test_without_weights_the_one_channel_stem_is_initialised():
    """The replaced stem must not miss what MMAction2's initialisers do."""
    initialisers = GlanceMobileNetV2(in_channels=1).init_cfg
    assert [cfg['type'] for cfg in initialisers] == ['Kaiming', 'Constant']


@torch.no_grad()
def test_shared_imagenet_weights_load():
    if not SHARED_WEIGHTS.is_file():
        pytest.skip(f'{SHARED_WEIGHTS.name} is not in ../shared/data/weights')
    weights = torch.load(SHARED_WEIGHTS, weights_only=True)
    reference = torchvision.models.mobilenet_v2(weights=None).eval()
    reference.load_state_dict(weights)
    images = torch.rand(1, 3, 96, 96) * 2 - 1
    assert torch.equal(pretrained(SHARED_WEIGHTS)(images), reference.features(images))


@torch.no_grad()
def test_mmaction_resnet_reads_a_local_torchvision_file(tmp_path):
    """f_L of the published configs, with ``pretrained`` pointed at a file."""
    path = tmp_path / 'resnet18.pth'
    reference = save(path, torchvision.models.resnet18(weights=None))
    model = MODELS.build(dict(type='ResNet', depth=18, pretrained=str(path)))
    model.init_weights()
    model.eval()
    features = nn.Sequential(*list(reference.children())[:-2])
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(images), features(images))
