"""The recognizer: its stages, its ablations, its budgets."""

import pytest
import torch

from avgn_mm.models.losses import frame_confidence
from tests.tiny import (
    ABLATIONS,
    NUM_FRAMES,
    PATCH_SIZE,
    avgn,
    batch,
    count_frames,
    count_units,
    predict,
    prescribe_saliency,
    rows,
    set_budget,
)

VARIANTS = {
    **ABLATIONS,
    'policy sees the selected': dict(policy_scope='selected'),
    'smaller glance': dict(glance_size=16, patch_policy=dict(
        type='PatchPolicy', feature_size=1, hidden_channels=4, embed_dims=16)),
    'no random patch': dict(train_cfg=dict(num_glances=3)),
    'all glanced at': dict(train_cfg=dict(num_glances=NUM_FRAMES)),
}


# ---------------------------------------------------------------- every part is optional

@pytest.mark.parametrize('changes', VARIANTS.values(), ids=VARIANTS.keys())
def test_one_training_step_and_prediction(changes):
    model, (inputs, samples) = avgn(**changes), batch()
    losses = model(inputs, samples, mode='loss')
    expected = {'loss_cls', 'loss_visual_global', 'loss_visual_local', 'loss_visual_pooled'}
    if model.audio_backbone is not None:
        expected |= {'loss_audio_frame', 'loss_audio_pooled'}
    if model.temporal_glance is not None:
        expected |= {'loss_mask', 'loss_saliency', 'loss_ordered'}
    assert {name for name in losses if 'loss' in name} == expected
    total, _ = model.parse_losses(losses)
    total.backward()
    # Distributed training fails on parameters that a step does not reach.
    assert [name for name, p in model.named_parameters() if p.grad is None] == []

    for sample in predict(model, inputs, samples):
        assert sample.pred_score.shape == (5,)
        assert sample.pred_score.sum().item() == pytest.approx(1)
        assert sample.selected.shape == (3,)
        assert sample.patch_boxes.shape == (3, 4)
        assert sample.frames_focused == 3
        assert ('saliency' in sample) == (model.temporal_glance is not None)


def test_what_depends_on_a_missing_part_goes_too():
    model = avgn(audio_backbone=None)
    assert model.spatial_glance is None
    assert model.audio_fusion is None
    # AESPA has no other reader than the policy.
    assert avgn(patch_policy=None).spatial_glance is None


def test_parts_can_be_swapped_for_their_losses_off():
    """Table 7."""
    model, (inputs, samples) = avgn(mask_loss=None, ordered_loss=None, saliency_loss=None), batch()
    losses = model.loss(inputs, samples)
    assert not {'loss_mask', 'loss_ordered', 'loss_saliency'} & set(losses)


def test_centre_crop_without_a_policy():
    model, (inputs, samples) = avgn(patch_policy=None), batch()
    for sample in predict(model, inputs, samples):
        assert sample.patch_boxes.tolist() == [[8., 8., 24., 24.]] * 3


def test_without_av_test_the_frames_come_coarse_to_fine():
    model, (inputs, samples) = avgn(temporal_glance=None), batch()
    for sample in predict(model, inputs, samples):
        assert sample.selected.tolist() == [0, 1, 2]
        assert sample.frames_encoded == 3


def test_multi_hot_labels_train():
    model, (inputs, samples) = avgn(), batch()
    for sample in samples:
        sample.set_gt_label(torch.tensor([1., 0, 0, 1, 0]))
    losses = model.loss(inputs, samples)
    assert torch.isfinite(losses['loss_cls'])
    assert 'top1_acc' not in losses


def test_half_precision_trains():
    model, (inputs, samples) = avgn(), batch()
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(inputs, samples)
    total, _ = model.parse_losses(losses)
    total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


# ---------------------------------------------------------------- selection

def test_the_most_salient_frames_are_selected_most_salient_first():
    model, (inputs, samples) = avgn(), batch()
    for sample in predict(model, inputs, samples):
        assert ((sample.saliency > 0) & (sample.saliency < 1)).all()
        assert sample.selected.tolist() == sample.saliency.argsort(descending=True)[:3].tolist()


def test_equal_saliency_keeps_the_coarse_to_fine_order():
    picked = avgn().pick(torch.tensor([[0.5] * 8, [0.1] * 5 + [0.2] * 3]), 4, 2)
    assert picked.tolist() == [[0, 1, 2, 3], [5, 6, 7, 0]]


@pytest.mark.parametrize('scope', ['encoded', 'selected'])
@pytest.mark.parametrize('num_glances', [1, 4, NUM_FRAMES])
def test_with_k_equal_to_T_every_frame_is_used_once(scope, num_glances):
    model, (inputs, samples) = avgn(policy_scope=scope), batch()
    set_budget(model, num_glances, NUM_FRAMES)
    count_units(model, inputs)
    encoded, focused = count_frames(model.backbone), count_frames(model.local_backbone)
    for sample in predict(model, inputs, samples):
        assert sorted(sample.selected.tolist()) == list(range(NUM_FRAMES))
        assert sample.frames_encoded == NUM_FRAMES
    assert sum(encoded) == sum(focused) == 2 * NUM_FRAMES


@pytest.mark.parametrize('num_glances, num_focus', [(4, 3), (1, 2), (6, 1), (NUM_FRAMES, 5)])
def test_frames_are_counted_as_they_are_computed(num_glances, num_focus):
    model, (inputs, samples) = avgn(), batch(4)
    set_budget(model, num_glances, num_focus)
    count_units(model, inputs)
    encoded, focused = count_frames(model.backbone), count_frames(model.local_backbone)
    predicted = predict(model, inputs, samples)
    assert sum(encoded) == sum(sample.frames_encoded for sample in predicted)
    assert sum(focused) == sum(sample.frames_focused for sample in predicted) == 4 * num_focus
    for sample in predicted:
        others = sum(index >= num_glances for index in sample.selected.tolist())
        assert sample.frames_encoded == num_glances + others


def test_test_cfg_changes_the_budget():
    model, (inputs, samples) = avgn(test_cfg=dict(num_glances=2, num_focus=5)), batch()
    for sample in predict(model, inputs, samples):
        assert len(sample.selected) == sample.frames_focused == 5
    # Without entries all frames are looked at.
    for sample in predict(avgn(test_cfg=None), inputs, samples):
        assert sample.frames_focused == sample.frames_encoded == NUM_FRAMES


def test_unencoded_frames_do_not_matter():
    """What is neither glanced at nor selected must not be read at all."""
    model, (inputs, samples) = avgn(), batch()
    before = predict(model, inputs, samples)
    other = dict(inputs, imgs=inputs['imgs'].clone())
    for video, sample in enumerate(before):
        unread = [i for i in range(4, NUM_FRAMES) if i not in sample.selected]
        other['imgs'][video, unread] = torch.nan
    scores = [sample.pred_score.clone() for sample in before]
    for sample, score in zip(predict(model, other, samples), scores):
        assert torch.equal(sample.pred_score, score)


# ---------------------------------------------------------------- batches

@pytest.mark.parametrize('scope', ['encoded', 'selected'])
def test_batch_of_two_gives_what_two_batches_of_one_give(monkeypatch, scope):
    model, (inputs, samples) = avgn(policy_scope=scope), batch()
    # Of the frames 0..3 that are glanced at, the first video selects all three, the second none.
    inputs['imgs'][:, :, 0, 0, 0] = torch.tensor([[8., 7, 6, 5, 4, 3, 2, 1],
                                                  [1., 2, 3, 4, 5, 6, 7, 8]]) / 10
    prescribe_saliency(monkeypatch, model)
    together = [sample.to_dict() for sample in predict(model, inputs, samples)]
    assert [sample['selected'].tolist() for sample in together] == [[0, 1, 2], [7, 6, 5]]
    assert [sample['frames_encoded'] for sample in together] == [4, 7]
    for index, sample in enumerate(together):
        (alone,) = predict(model, rows(inputs, index), samples[index:index + 1])
        for name in ('pred_score', 'saliency', 'selected', 'patch_boxes'):
            torch.testing.assert_close(sample[name], alone.get(name), rtol=1e-5, atol=1e-5)
        assert sample['frames_encoded'] == alone.frames_encoded


@pytest.mark.parametrize('scope', ['encoded', 'selected'])
def test_losses_of_two_are_the_mean_of_those_of_one(scope):
    """In eval mode, where batch norm does not mix the videos."""
    model, (inputs, samples) = avgn(
        policy_scope=scope, ordered_loss=None, train_cfg=dict(num_glances=3)), batch()
    model.eval()
    together = model.loss(inputs, samples)
    alone = [model.loss(rows(inputs, i), samples[i:i + 1]) for i in range(2)]
    for name, value in together.items():
        torch.testing.assert_close(value, (alone[0][name] + alone[1][name]) / 2)


# ---------------------------------------------------------------- training and testing agree

@pytest.mark.parametrize('changes', [
    {}, dict(policy_scope='selected'), dict(policy_scope='selected', audio_fusion=None),
    dict(temporal_glance=None),
], ids=str)
@torch.no_grad()
def test_training_computes_what_testing_computes(monkeypatch, changes):
    model, (inputs, samples) = avgn(
        **changes, train_cfg=dict(num_glances=3),
        test_cfg=dict(num_glances=3, num_focus=NUM_FRAMES)), batch()
    model.eval()
    logits = []
    cross_entropy = model.cls_head.cross_entropy

    def record(step_logits, labels):
        logits.append(step_logits)
        return cross_entropy(step_logits, labels)

    monkeypatch.setattr(model.cls_head, 'cross_entropy', record)
    model.loss(inputs, samples)
    torch.testing.assert_close(logits[0][:, -1], model(inputs, mode='tensor'))
    # After k of the frames in their order of saliency, too, when pi has seen the same frames.
    if changes:
        for k in (1, 4):
            set_budget(model, 3, k)
            torch.testing.assert_close(logits[0][:, k - 1], model(inputs, mode='tensor'))


@torch.no_grad()
def test_all_losses_see_the_frames_by_descending_saliency(monkeypatch):
    model, (inputs, samples) = avgn(train_cfg=dict(num_glances=NUM_FRAMES)).eval(), batch()
    seen = {}
    for owner, name in ((model.cls_head, 'visual_losses'), (model.cls_head, 'audio_losses'),
                        (model.saliency_loss, 'forward'), (model.ordered_loss, 'forward')):
        def record(*args, key=(owner, name)):
            seen[key] = args
            return {} if key[0] is model.cls_head else torch.zeros(())
        monkeypatch.setattr(owner, name, record)
    model.loss(inputs, samples)

    glance = model.glance(inputs['imgs'], inputs['audios'], NUM_FRAMES)
    order = model.pick(glance.saliency, NUM_FRAMES, 2)
    assert order.tolist() != [list(range(NUM_FRAMES))] * 2
    saliency = glance.saliency.sort(dim=1, descending=True).values
    videos = torch.arange(2)
    index = videos[:, None], order
    visual, local, _ = seen[model.cls_head, 'visual_losses']
    torch.testing.assert_close(visual, glance.maps[index].mean(dim=(3, 4)))
    actions = model.locate(glance, videos, order)
    torch.testing.assert_close(local.flatten(0, 1), model.focus(
        inputs['imgs'][index].flatten(0, 1), actions.flatten(0, 1)))
    torch.testing.assert_close(seen[model.cls_head, 'audio_losses'][0], glance.audio[index])
    torch.testing.assert_close(seen[model.saliency_loss, 'forward'][0], saliency)
    _, embedded, ordered_saliency, _ = seen[model.ordered_loss, 'forward']
    torch.testing.assert_close(ordered_saliency, saliency)
    classifier = model.cls_head.classifier
    fused = model.fuse_audio(glance, visual, videos, order)
    torch.testing.assert_close(
        embedded, classifier.embed(model.cls_head.fuse(visual, local, fused)))
    torch.testing.assert_close(
        seen[model.saliency_loss, 'forward'][1],
        frame_confidence(classifier.classify_alone(embedded)))


def test_tensor_mode_returns_logits_or_features():
    model, (inputs, samples) = avgn().eval(), batch()
    logits = model(inputs, mode='tensor')
    assert logits.shape == (2, 5)
    torch.testing.assert_close(
        torch.stack([sample.pred_score for sample in predict(model, inputs, samples)]),
        logits.softmax(dim=1))
    assert model(inputs, mode='tensor', stage='backbone').shape == (2, 3, 16 + 24 + 20)


# ---------------------------------------------------------------- where the policy looks

def test_patches_of_glanced_frames_do_not_depend_on_k():
    """policy_scope='encoded': pi reads the glanced frames first, in their own order."""
    model, (inputs, samples) = avgn(), batch()
    places = []
    for num_focus in (3, 5, NUM_FRAMES):
        set_budget(model, 4, num_focus)
        places.append([dict(zip(sample.selected.tolist(), sample.patch_boxes.clone()))
                       for sample in predict(model, inputs, samples)])
    for fewer, more in zip(places, places[1:]):
        for video in range(2):
            # The others follow by descending saliency, so that a larger k only appends.
            assert set(fewer[video]) <= set(more[video])
            for frame, box in fewer[video].items():
                torch.testing.assert_close(box, more[video][frame])


@pytest.fixture
def transparent(monkeypatch):
    """Builds an AVGN whose frames are numbers (10 for the second video's first), and whose policy
    answers with a frame's number and remembers the sum of those it has seen."""

    def build(scope: str):
        model = avgn(spatial_glance=None, policy_scope=scope).eval()
        glance = model.glance(*batch()[0].values(), num_glances=4)
        glance.maps = (torch.arange(2.)[:, None] * 10 + torch.arange(8.)).view(2, 8, 1, 1, 1)
        seen = []

        def forward(maps, lengths, memory):
            numbers = maps.flatten()
            videos = numbers.split(lengths)
            seen.append([part.int().tolist() for part in videos])
            sums = torch.stack([part.sum() for part in videos])[:, None]
            return numbers[:, None].expand(-1, 2), memory + sums

        monkeypatch.setattr(model.patch_policy, 'forward', forward)
        return model, glance, seen

    return build


@pytest.mark.parametrize('scope, expected', [
    # Glanced frames coarse to fine, then the other selected ones by descending saliency.
    ('encoded', [[0, 1, 2, 3, 6, 5], [10, 11, 12, 13, 17]]),
    ('selected', [[6, 1, 5], [13, 17, 10]]),
])
@torch.no_grad()
def test_the_policy_reads_the_frames_in_order(transparent, scope, expected):
    model, glance, seen = transparent(scope)
    selected = torch.tensor([[6, 1, 5], [3, 7, 0]])
    actions = model.locate(glance, torch.arange(2), selected)
    assert seen == [expected]
    # The places belong to the selected frames.
    assert actions[..., 0].tolist() == [[6, 1, 5], [13, 17, 10]]


@pytest.mark.parametrize('scope, expected', [
    ('encoded', [
        [[0, 1, 2, 3, 6], [10, 11, 12, 13]],
        # Frame 1 of the first video was glanced at, so the policy has seen it.
        [[17]],
        [[5]],
    ]),
    ('selected', [[[6], [13]], [[1], [17]], [[5]]]),
])
@torch.no_grad()
def test_the_policy_reads_the_frames_one_by_one(transparent, scope, expected):
    """As in early exit; the second video leaves after two frames."""
    model, glance, seen = transparent(scope)
    selected = torch.tensor([[6, 1, 5], [3, 7, 0]])
    places = [model.locate(glance, videos, selected[videos, step:step + 1])[:, 0, 0].tolist()
              for step, videos in enumerate([torch.arange(2), torch.arange(2), torch.tensor([0])])]
    assert seen == expected
    assert places == [[6, 13], [1, 17], [5]]
    # The memory is each video's own.
    totals = [sum(sum(v) for call in seen for v in call if v[0] // 10 == i) for i in range(2)]
    assert glance.memory[:, 0].tolist() == totals


def test_boxes_lie_in_the_image():
    model, (inputs, samples) = avgn(), batch()
    for sample in predict(model, inputs, samples):
        left, top, right, bottom = sample.patch_boxes.unbind(dim=1)
        assert (left >= 0).all() and (top >= 0).all()
        assert (right <= 32).all() and (bottom <= 32).all()
        torch.testing.assert_close(right - left, torch.full((3,), float(PATCH_SIZE)))


# ---------------------------------------------------------------- errors

@pytest.mark.parametrize('changes, match', [
    (dict(test_cfg=dict(num_glances=9)), r'test_cfg\.num_glances=9 must be in 1\.\.8'),
    (dict(test_cfg=dict(num_focus=0)), r'test_cfg\.num_focus=0 must be in 1\.\.8'),
    (dict(train_cfg=dict(num_glances=9)), r'train_cfg\.num_glances=9 must be in 1\.\.8'),
    (dict(policy_scope='all'), "'encoded' or 'selected', got 'all'"),
])
def test_settings_out_of_range(changes, match):
    with pytest.raises(ValueError, match=match):
        avgn(**changes)


@pytest.mark.parametrize('mode, cfg, name, value', [
    ('predict', 'test_cfg', 'num_glances', 9),
    ('predict', 'test_cfg', 'num_focus', 0),
    ('tensor', 'test_cfg', 'num_focus', 9),
    ('loss', 'train_cfg', 'num_glances', 9),
])
def test_budgets_are_checked_at_each_use(mode, cfg, name, value):
    model, (inputs, samples) = avgn(), batch()
    getattr(model, cfg)[name] = value
    with pytest.raises(ValueError, match=rf'{cfg}\.{name}={value} must be in 1\.\.8'):
        model(inputs, samples, mode=mode)


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_inputs_that_do_not_fit(mode):
    model, (inputs, samples) = avgn(), batch()
    with pytest.raises(ValueError, match=r'gives 6 frames .* model\.num_frames=8'):
        model(batch(2, 6)[0], samples, mode=mode)
    with pytest.raises(ValueError, match=r'gives 5 audio windows .* model\.num_frames=8'):
        model(dict(inputs, audios=inputs['audios'][:, :5]), samples, mode=mode)
    with pytest.raises(ValueError, match="lack 'audios'.*PackActionInputs.*audio_backbone=None"):
        model(dict(imgs=inputs['imgs']), samples, mode=mode)
    # Without an audio encoder none is wanted.
    avgn(audio_backbone=None)(dict(imgs=inputs['imgs']), samples, mode=mode)


def test_label_out_of_range():
    model, (inputs, samples) = avgn(), batch()
    samples[1].set_gt_label(5)
    with pytest.raises(ValueError, match=r'cls_head\.num_classes=5'):
        model.loss(inputs, samples)
