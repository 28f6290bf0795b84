"""f_C, the classifier with a running maximum (eq. 8)."""

import pytest
import torch

from avgn_mm.models.heads import PoolingClassifier

# Embedded: [1, 0], [0, 3], [2, 1]. Running maximum: [1, 0], [1, 3], [2, 3].
FEATS = torch.tensor([[[1., -2.], [-1., 3.], [2., 1.]]])


@pytest.fixture
def classifier():
    """Embeds by ReLU alone; step n (from 0) multiplies by n + 1 and adds n."""
    module = PoolingClassifier(in_channels=2, hidden_channels=2, num_classes=2, num_frames=3)
    module.norm.eps = 1e-12
    with torch.no_grad():
        module.fc.weight.copy_(torch.eye(2))
        module.fc.bias.zero_()
        for n, step in enumerate(module.steps):
            step.weight.copy_(torch.eye(2) * (n + 1))
            step.bias.fill_(n)
    return module.eval()


def test_running_maximum_and_step_layers(classifier):
    assert classifier.embed(FEATS).tolist() == [[[1, 0], [0, 3], [2, 1]]]
    assert classifier(FEATS).tolist() == [[[1, 0], [3, 7], [8, 11]]]


def test_fewer_frames_than_steps(classifier):
    assert classifier(FEATS[:, :2]).tolist() == [[[1, 0], [3, 7]]]


def test_classify_from_a_later_step(classifier):
    pooled = torch.tensor([[[2., 3.]]])
    assert classifier.classify(pooled, first_step=2).tolist() == [[[8, 11]]]
    assert classifier.classify(pooled.expand(1, 2, 2), first_step=1).tolist() == [[[5, 7], [8, 11]]]


def test_frames_alone_are_classified_by_the_first_step(classifier):
    """Eq. 11: no running maximum, and nothing to learn from."""
    alone = classifier.classify_alone(classifier.embed(FEATS))
    assert alone.tolist() == [[[1, 0], [0, 3], [2, 1]]]
    assert not alone.requires_grad


def test_embedding_is_not_negative():
    module = PoolingClassifier(in_channels=4, hidden_channels=8, num_classes=2, num_frames=3)
    assert module.embed(torch.randn(2, 3, 4) * 10).min() == 0


def test_norm_is_over_all_frames_of_the_batch():
    module = PoolingClassifier(in_channels=4, hidden_channels=8, num_classes=2, num_frames=3)
    feats = torch.randn(2, 3, 4)
    embedded = module.fc(feats).flatten(0, 1)
    expected = (embedded - embedded.mean(0)) / (embedded.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(module.embed(feats), expected.relu().view(2, 3, 8))
