"""The threshold solver against hand-computed values, and its file in the recognizer's hands."""

import json

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from avgn_mm.evaluation.exits import (
    exit_distributions,
    exit_steps,
    read_thresholds,
    solve_thresholds,
    write_thresholds,
)
from tests.tiny import avgn, batch

CONFIDENCES = np.array([[5, 10, 0], [4, 9, 0], [1, 3, 0], [2, 8, 0]], dtype=np.float32)


def test_thresholds_by_hand():
    # One of four exits first: the 5. Of the other three, two: 9 and 8; the 10 has gone already.
    thresholds = solve_thresholds(CONFIDENCES, [0.25, 0.5, 0.25])
    np.testing.assert_array_equal(thresholds, [5, 8, -np.inf])
    np.testing.assert_array_equal(exit_steps(CONFIDENCES, thresholds), [1, 2, 3, 2])


def test_shares_are_rounded_down():
    # floor(4 * 0.3) = 1, floor(4 * 0.24) = 0: nobody exits second, however confident.
    thresholds = solve_thresholds(CONFIDENCES, [0.3, 0.24, 0.46])
    np.testing.assert_array_equal(thresholds, [5, np.inf, -np.inf])
    np.testing.assert_array_equal(exit_steps(CONFIDENCES, thresholds), [1, 3, 3, 3])


def test_ties_exit_together_and_may_leave_nobody():
    confidences = np.array([[1, 5], [1, 5], [1, 5]])
    thresholds = solve_thresholds(np.hstack([confidences, confidences]), [0.4, 0.4, 0.1, 0.1])
    np.testing.assert_array_equal(thresholds, [1, np.inf, np.inf, -np.inf])


def test_one_step_takes_all():
    thresholds = solve_thresholds(CONFIDENCES[:, :1], [1.0])
    np.testing.assert_array_equal(thresholds, [-np.inf])
    np.testing.assert_array_equal(exit_steps(CONFIDENCES[:, :1], [np.inf]), [1, 1, 1, 1])


def test_thresholds_of_further_steps_are_not_used():
    np.testing.assert_array_equal(exit_steps(CONFIDENCES, [5, 8, 9, 9]), [1, 2, 3, 2])
    with pytest.raises(ValueError, match='2 exit thresholds for 3 steps'):
        exit_steps(CONFIDENCES, [5, 8])


def test_distributions():
    family = exit_distributions(3)
    np.testing.assert_allclose(list(family), np.linspace(0.5, 3.9, 35))
    np.testing.assert_allclose(family[0.5], [4 / 7, 2 / 7, 1 / 7])
    np.testing.assert_allclose(family[1.0], [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(family[2.0], [1 / 7, 2 / 7, 4 / 7])
    with pytest.raises(ValueError, match='at least 1 step'):
        exit_distributions(0)


@pytest.mark.parametrize('num_videos', [1, 10, 97])
def test_realised_shares_are_the_wanted_ones(num_videos):
    confidences = np.random.default_rng(num_videos).normal(size=(num_videos, 16))
    for shares in exit_distributions(16).values():
        steps = exit_steps(confidences, solve_thresholds(confidences, shares))
        realised = np.bincount(steps, minlength=17)[1:]
        wanted = np.floor(num_videos * shares)
        np.testing.assert_array_equal(realised[:-1], wanted[:-1])
        assert realised[-1] == num_videos - wanted[:-1].sum()


@pytest.mark.parametrize(('confidences', 'distribution', 'message'), [
    (CONFIDENCES, [0.5, 0.5], 'must be 3 shares'),
    (CONFIDENCES, [0.5, 0.5, 0.5], 'sum to 1'),
    (CONFIDENCES, [1.5, -0.5, 0], 'shares'),
    (CONFIDENCES[:0], [0.5, 0.25, 0.25], r'shape \(0, 3\)'),
    (CONFIDENCES * np.nan, [0.5, 0.25, 0.25], '12 NaN'),
])
def test_solver_says_what_is_wrong(confidences, distribution, message):
    with pytest.raises(ValueError, match=message):
        solve_thresholds(confidences, distribution)


def test_file_is_plain_json_and_comes_back(tmp_path):
    path = tmp_path / 'thresholds.json'
    solved = [0.1, np.inf, -np.inf]
    write_thresholds(str(path), dict(
        num_glances=2, thresholds=solved, family=[dict(power=0.5, thresholds=solved)]))
    assert json.loads(path.read_text())['thresholds'] == [0.1, None, None]
    content = read_thresholds(str(path))
    assert content['thresholds'] == content['family'][0]['thresholds'] == [0.1, np.inf, np.inf]


@pytest.mark.parametrize('content', [
    'nonsense', '[1, 2]', '{"num_glances": 2}', '{"num_glances": 2, "thresholds": []}',
    '{"num_glances": 2, "thresholds": ["1"]}', '{"num_glances": 2, "thresholds": [true]}',
    '{"num_glances": 2, "thresholds": [NaN]}', '{"num_glances": null, "thresholds": [1]}',
    '{"num_glances": 2, "thresholds": [1], "family": [{}]}',
])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(ValueError, match='other.json is no thresholds file'):
        read_thresholds(str(path))


def test_recognizer_takes_the_list_and_the_file(tmp_path):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        model = avgn().eval()
    inputs, samples = batch(4)

    def steps(**test_cfg):
        model.test_cfg = dict(num_glances=2, num_focus=3, **test_cfg)
        with torch.no_grad():
            return [sample.exit_step for sample in model.predict(inputs, samples)]

    with torch.no_grad():
        logits, _ = model.predict_budgets(inputs, [2])[2]
    confidences = logits[:, :3].amax(dim=2).numpy()
    # Between the values, so that rounding cannot matter.
    first, second = np.median(confidences, axis=0)[:2].tolist()
    thresholds = [first, second, np.inf]
    path = str(tmp_path / 'thresholds.json')
    write_thresholds(path, dict(num_glances=2, thresholds=thresholds))
    expected = exit_steps(confidences, thresholds).tolist()
    assert len(set(expected)) > 1
    assert steps(exit_thresholds=thresholds) == steps(exit_thresholds=path) == expected

    write_thresholds(path, dict(num_glances=4, thresholds=thresholds))
    with pytest.raises(ValueError, match='thresholds.json was solved for T_G=4'):
        steps(exit_thresholds=path)
    write_thresholds(path, dict(num_glances=2, thresholds=thresholds[:2]))
    with pytest.raises(ValueError, match='thresholds.json holds 2 exit thresholds'):
        steps(exit_thresholds=path)
    with pytest.raises(ValueError, match='model.test_cfg.exit_thresholds holds 2 exit thresholds'):
        steps(exit_thresholds=thresholds[:2])
    with pytest.raises(FileNotFoundError, match='absent.json'):
        steps(exit_thresholds='absent.json')
