"""AVGN's prediction head (eq. 8) and its classification losses (L_p, eq. 9 and 10)."""

import math

import pytest
import torch
from mmaction.structures import ActionDataSample

from avgn_mm.models.heads import AVGNHead


def head(**kwargs) -> AVGNHead:
    config = dict(num_classes=5, num_frames=3, visual_channels=4, local_channels=6,
                  audio_channels=7, fused_channels=2, hidden_channels=8)
    return AVGNHead(**{**config, **kwargs}).eval()


def samples(*labels) -> list:
    return [ActionDataSample().set_gt_label(label) for label in labels]


def cross_entropy(logits, labels) -> float:
    """L_CE of (B, T, C) logits, summed over t, over T, mean over videos; step by step."""
    total = 0.
    for video, label in zip(logits.detach(), labels):
        total += sum(math.log(step.exp().sum()) - step[label].item() for step in video) / len(video)
    return total / len(logits)


@pytest.mark.parametrize('k', [1, 2, 3])
def test_forward_uses_the_layer_of_step_k(k):
    module = head()
    feats = torch.randn(2, k, 12)
    pooled = module.classifier.embed(feats).max(dim=1).values
    torch.testing.assert_close(module(feats), module.classifier.steps[k - 1](pooled))
    torch.testing.assert_close(module(feats), module.classifier(feats)[:, -1])


def test_order_of_the_fused_features():
    """Eq. 8: [e^G, e^L, e^AT]."""
    parts = [torch.full((1, 2, 1), float(i)) for i in range(3)]
    assert AVGNHead.fuse(*parts).tolist() == [[[0, 1, 2], [0, 1, 2]]]
    assert AVGNHead.fuse(parts[0], parts[1], None).tolist() == [[[0, 1], [0, 1]]]


def test_hand_computed_cross_entropy():
    """Each video's own label at all steps: -log(3/4), -log(1/4), -log(1/2), -log(1/2)."""
    logits = torch.tensor([[[0., math.log(3)], [math.log(3), 0.]], [[0., 0.], [5., 5.]]])
    loss = head(num_classes=2).cross_entropy(logits, torch.tensor([1, 0]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4) + 2 * math.log(2)) / 4)


def test_visual_losses():
    """Eq. 9, term by term."""
    module = head()
    visual, local, labels = torch.randn(2, 3, 4), torch.randn(2, 3, 6), torch.tensor([4, 1])
    losses = module.visual_losses(visual, local, labels)
    classifier = module.visual_classifier
    embedded = classifier.norm(
        classifier.fc(torch.cat((visual, local), dim=2)).flatten(0, 1)).relu().view(2, 3, 8)
    pooled = torch.stack([classifier.steps[t](embedded[:, :t + 1].max(dim=1).values)
                          for t in range(3)], dim=1)
    for name, logits in dict(loss_visual_global=module.fc_visual[-1](visual),
                             loss_visual_local=module.fc_local[-1](local),
                             loss_visual_pooled=pooled).items():
        assert losses.pop(name).item() == pytest.approx(cross_entropy(logits, labels), rel=1e-5)
    assert losses == {}


def test_audio_losses():
    """Eq. 10, term by term."""
    module = head()
    audio, labels = torch.randn(2, 3, 7), torch.tensor([0, 2])
    losses = module.audio_losses(audio, labels)
    classifier = module.audio_classifier
    embedded = classifier.norm(classifier.fc(audio).flatten(0, 1)).relu().view(2, 3, 8)
    pooled = torch.stack([classifier.steps[t](embedded[:, :t + 1].max(dim=1).values)
                          for t in range(3)], dim=1)
    for name, logits in dict(loss_audio_frame=module.fc_audio[-1](audio),
                             loss_audio_pooled=pooled).items():
        assert losses.pop(name).item() == pytest.approx(cross_entropy(logits, labels), rel=1e-5)
    assert losses == {}


def test_loss_weights():
    """Table 7 sets a weight to 0; the parameters stay in the graph, as DDP wants."""
    module = head(visual_loss_weight=0., audio_loss_weight=2.)
    visual, local, audio = torch.randn(2, 3, 4), torch.randn(2, 3, 6), torch.randn(2, 3, 7)
    labels = torch.tensor([0, 2])
    losses = module.visual_losses(visual, local, labels)
    assert sum(losses.values()).item() == 0
    sum(losses.values()).backward()
    assert module.fc_visual[-1].weight.grad.abs().sum() == 0
    plain = head()
    plain.load_state_dict(module.state_dict())
    for name, loss in module.audio_losses(audio, labels).items():
        assert loss.item() == pytest.approx(2 * plain.audio_losses(audio, labels)[name].item())


def test_labels():
    assert head().gather_labels(samples(3, 0)).tolist() == [3, 0]


def test_several_labels_share_a_video_evenly():
    module = head()
    labels = module.gather_labels(samples(torch.tensor([1., 0, 1, 0, 0]),
                                          torch.tensor([0., 0, 0, 1, 0])))
    assert labels.tolist() == [[0.5, 0, 0.5, 0, 0], [0, 0, 0, 1, 0]]
    logits = torch.randn(2, 3, 5)
    expected = (cross_entropy(logits[:1], [0]) + cross_entropy(logits[:1], [2])
                ) / 4 + cross_entropy(logits[1:], [3]) / 2
    assert module.cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('labels, match', [
    ((2, 5), r'cls_head\.num_classes=5\), got 2\.\.5'),
    ((-1, 2), r'cls_head\.num_classes=5\), got -1\.\.2'),
    ((torch.zeros(7), torch.zeros(7)), r'labels have 7 classes, the head has 5: .*cls_head\.num_c'),
])
def test_labels_that_do_not_fit(labels, match):
    with pytest.raises(ValueError, match=match):
        head().gather_labels(samples(*labels))


def test_scores_are_probabilities():
    module = head()
    feats = torch.randn(2, 3, 12)
    predicted = module.predict(feats, samples(0, 0))
    expected = module(feats).softmax(dim=1)
    for sample, score in zip(predicted, expected):
        torch.testing.assert_close(sample.pred_score, score)
        assert sample.pred_label.tolist() == [score.argmax().item()]


def test_without_audio():
    module = head(audio_channels=None, fused_channels=None)
    assert not hasattr(module, 'audio_classifier')
    assert module(torch.randn(2, 3, 10)).shape == (2, 5)
