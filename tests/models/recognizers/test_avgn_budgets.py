"""Other ways to the same prediction: early exit (AVGN+) and all budgets in one pass."""

from math import inf

import pytest
import torch

from tests.tiny import (
    ABLATIONS,
    NUM_FRAMES,
    count_frames,
    count_units,
    diverse,
    predict,
    rows,
    set_budget,
)

NUM_GLANCES, NUM_FOCUS, BATCH_SIZE = 3, 6, 4
FIELDS = ('pred_score', 'pred_label', 'saliency', 'selected', 'patch_boxes', 'frames_encoded',
          'frames_focused')


@pytest.fixture(params=['encoded', 'selected'])
def scope(request):
    return request.param


@pytest.fixture(params=ABLATIONS.values(), ids=ABLATIONS.keys())
def case(request, scope):
    return diverse(BATCH_SIZE, policy_scope=scope, **request.param)


def results(model, inputs, samples) -> list[dict]:
    return [sample.to_dict() for sample in predict(model, inputs, samples)]


def assert_same(found: dict, expected: dict):
    for name in FIELDS:
        assert (name in found) == (name in expected)
        if name in found:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-5)


def output_gmacs(model, inputs) -> float:
    return count_units(model, inputs)['cls_head.output'] / 1e9


@torch.no_grad()
def staggered_exit(model, inputs, leavers) -> tuple[list[float], list[int]]:
    """Thresholds that let so many videos leave after each step, and each video's step."""
    step_logits, _ = model.predict_budgets(inputs, [NUM_GLANCES])[NUM_GLANCES]
    confidences = step_logits.amax(dim=2)
    remaining = list(range(len(confidences)))
    thresholds, steps = [], [len(leavers)] * len(confidences)
    for step, number in enumerate(leavers):
        remaining.sort(key=lambda video: -confidences[video, step].item())
        values = [inf, *confidences[remaining, step].tolist(), -inf]
        above, below = values[number], values[number + 1]
        assert above - below > 1e-4
        thresholds.append(inf if number == 0 else (above + below) / 2)
        for video in remaining[:number]:
            steps[video] = step + 1
        del remaining[:number]
    assert not remaining
    return thresholds, steps


# ---------------------------------------------------------------- early exit

@pytest.mark.parametrize('num_focus', [1, NUM_FOCUS, NUM_FRAMES])
def test_nobody_leaves_early(case, num_focus):
    model, inputs, samples = case
    set_budget(model, NUM_GLANCES, num_focus)
    plain = results(model, inputs, samples)
    set_budget(model, NUM_GLANCES, num_focus, [inf] * num_focus)
    for found, expected in zip(results(model, inputs, samples), plain):
        assert_same(found, expected)
        assert found['exit_step'] == num_focus
        assert 'exit_step' not in expected
        # Early exit classifies after each frame.
        more = (num_focus - 1) * output_gmacs(model, inputs)
        assert found['gmacs'] == pytest.approx(expected['gmacs'] + more, rel=1e-9)


def test_everybody_leaves_at_once(case):
    model, inputs, samples = case
    set_budget(model, NUM_GLANCES, 1)
    plain = results(model, inputs, samples)
    set_budget(model, NUM_GLANCES, NUM_FOCUS, [-inf] * NUM_FOCUS)
    for found, expected in zip(results(model, inputs, samples), plain):
        assert_same(found, expected)
        assert found['exit_step'] == 1
        assert found['gmacs'] == expected['gmacs']


def test_a_threshold_is_reached_by_equality(monkeypatch):
    model, inputs, samples = diverse(BATCH_SIZE)
    count_units(model, inputs)
    monkeypatch.setattr(model.cls_head.classifier, 'classify',
                        lambda pooled, first_step: torch.full((len(pooled), 1, 5), 2.))
    set_budget(model, NUM_GLANCES, 3, [2.25, 2., 2.])
    assert [found['exit_step'] for found in results(model, inputs, samples)] == [2] * BATCH_SIZE


def test_each_video_leaves_as_if_it_were_alone(case):
    """It gets what a plain prediction of it gives, with the frames it needed as k."""
    model, inputs, samples = case
    thresholds, steps = staggered_exit(model, inputs, [0, 1, 0, 2, 0, 1])
    set_budget(model, NUM_GLANCES, NUM_FOCUS, thresholds)
    together = results(model, inputs, samples)
    assert [found['exit_step'] for found in together] == steps
    assert sorted(steps) == [2, 4, 4, 6]
    for video, (found, step) in enumerate(zip(together, steps)):
        set_budget(model, NUM_GLANCES, step)
        (alone,) = results(model, rows(inputs, video), samples[video:video + 1])
        assert_same(found, alone)
        more = (step - 1) * output_gmacs(model, inputs)
        assert found['gmacs'] == pytest.approx(alone['gmacs'] + more, rel=1e-9)
        # Early exit of the video alone is the same, too.
        set_budget(model, NUM_GLANCES, NUM_FOCUS, thresholds)
        (alone,) = results(model, rows(inputs, video), samples[video:video + 1])
        assert_same(found, alone)
        assert found['gmacs'] == alone['gmacs']


def test_too_few_thresholds():
    model, inputs, samples = diverse(BATCH_SIZE)
    set_budget(model, NUM_GLANCES, NUM_FOCUS, [inf] * (NUM_FOCUS - 1))
    with pytest.raises(ValueError, match=r'exit_thresholds holds 5 .*num_focus=6'):
        predict(model, inputs, samples)


def test_finished_videos_are_not_computed(case):
    model, inputs, samples = case
    leavers = [0, 1, 0, 2, 0, 1]
    present = [4, 4, 3, 3, 1, 1]
    thresholds, steps = staggered_exit(model, inputs, leavers)
    set_budget(model, NUM_GLANCES, NUM_FOCUS, thresholds)
    count_units(model, inputs)
    classifier = model.cls_head.classifier
    sizes = {name: count_frames(module) for name, module in dict(
        model.named_children(), fc=classifier.fc, **dict(classifier.steps.named_children())
    ).items()}
    found = results(model, inputs, samples)

    # The frames that each step still has to encode.
    glanced = 0 if model.temporal_glance is None else NUM_GLANCES
    selected = [sample['selected'].tolist() for sample in found]
    assert [len(frames) for frames in selected] == steps
    new = [sum(frames[step] >= glanced for frames in selected if step < len(frames))
           for step in range(NUM_FOCUS)]
    assert sum(new) + BATCH_SIZE * glanced == sum(s['frames_encoded'] for s in found)
    first = [BATCH_SIZE * glanced] if glanced else []
    assert sizes['backbone'] == first + [n for n in new if n]
    assert sizes['local_backbone'] == present
    assert sizes['fc'] == present
    # Each step classifies once, with its own layer.
    assert [sizes[str(step)] for step in range(NUM_FOCUS)] == [[n] for n in present]
    if model.patch_policy is not None:
        if model.policy_scope == 'encoded':
            seen = [BATCH_SIZE * glanced + new[0], *(n for n in new[1:] if n)]
        else:
            seen = present
        assert sizes['patch_policy'] == seen
        if model.spatial_glance is not None:
            assert sizes['spatial_glance'] == seen
    if model.audio_fusion is not None:
        assert sizes['audio_fusion'] == present
    if model.audio_backbone is not None:
        assert sizes['audio_backbone'] == [BATCH_SIZE * NUM_FRAMES]
    if model.temporal_glance is not None:
        assert sizes['temporal_glance'] == [BATCH_SIZE]


@torch.no_grad()
def test_frames_found_step_by_step_equal_those_found_at_once(case):
    """Places, and all that f_C sees: pi's memory, and what is kept of the sound, carry over."""
    model, inputs, _ = case
    imgs, audios = model.unpack(inputs)
    videos = torch.arange(BATCH_SIZE)
    at_once, by_step = (model.glance(imgs, audios, NUM_GLANCES) for _ in range(2))
    selected = model.pick(at_once.saliency, NUM_FOCUS, BATCH_SIZE)
    expected = model.look(imgs, at_once, videos, selected)
    places = at_once.actions[videos[:, None], selected]
    if model.patch_policy is not None:
        assert places.flatten(0, 1).std(dim=0).min() > 0.01
    for step in range(NUM_FOCUS):
        # The last video leaves after two frames, the first after four.
        videos = torch.tensor([0, 1, 2, 3] if step < 2 else [0, 1, 2] if step < 4 else [1, 2])
        frames = selected[videos, step:step + 1]
        found = model.look(imgs, by_step, videos, frames)
        torch.testing.assert_close(found[:, 0], expected[videos, step])
        torch.testing.assert_close(by_step.actions[videos, frames[:, 0]], places[videos, step])


# ---------------------------------------------------------------- all budgets in one pass

@torch.no_grad()
def test_one_pass_equals_separate_predictions(case):
    model, inputs, samples = case
    grid = (1, NUM_GLANCES, 5, NUM_FRAMES)
    budgets = model.predict_budgets(inputs, grid)
    assert tuple(budgets) == grid
    for num_glances, (step_logits, encoded) in budgets.items():
        assert step_logits.shape == (BATCH_SIZE, NUM_FRAMES, 5)
        assert encoded.shape == (BATCH_SIZE, NUM_FRAMES)
        for k in range(1, NUM_FRAMES + 1):
            set_budget(model, num_glances, k)
            separate = predict(model, inputs, samples)
            torch.testing.assert_close(
                step_logits[:, k - 1].softmax(dim=1),
                torch.stack([sample.pred_score for sample in separate]), rtol=0, atol=1e-5)
            assert encoded[:, k - 1].tolist() == [s.frames_encoded for s in separate]


@torch.no_grad()
def test_one_pass_encodes_each_frame_once():
    model, inputs, _ = diverse(BATCH_SIZE)
    encoded, heard = count_frames(model.backbone), count_frames(model.audio_backbone)
    model.predict_budgets(inputs, [1, 4, 8])
    assert encoded == heard == [BATCH_SIZE * NUM_FRAMES]
