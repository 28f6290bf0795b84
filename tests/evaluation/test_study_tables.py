"""Means, errors and verdicts by hand, and the tables that they make."""

import math
from dataclasses import replace

import pytest

from avgn_mm.evaluation.studies import Comparison, Line, Study
from avgn_mm.evaluation.study_tables import (
    Difference,
    Point,
    affordable,
    mean_and_error,
    points_of,
    study_text,
)

STUDY = Study(
    'Parts', 'It helps.', ('part', ),
    (Line('plain', ('none', ), {1: 40.0}, {1: 2.0}), Line('avgn', ('all', ), {1: 50.0})),
    (Comparison('avgn', 'plain', (1, 2), matched=2), ), num_focus=(1, 2))


def result(accuracies, gmacs=(0.1, 0.2, 0.3), num_glances=0, **metrics):
    cells = [dict(num_glances=num_glances, num_focus=k, top1=value, gmacs=cost)
             for k, (value, cost) in enumerate(zip(accuracies, gmacs), 1)]
    return dict(metric='top1', num_videos=10, num_glances=num_glances, num_focus=2, cells=cells,
                metrics=metrics)


def rows(text):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in text.splitlines() if line.startswith('|')]


def test_mean_and_error_by_hand():
    # Deviations -1, 0, 1: a variance of 2 / 2 over n - 1, and 1 / sqrt(3).
    assert mean_and_error([1.0, 2.0, 3.0]) == pytest.approx((2, 1 / math.sqrt(3)))
    mean, error = mean_and_error([5.0])
    assert mean == 5 and math.isnan(error)


def test_differences_are_paired():
    better = Point('k=1', {0: 0.5, 1: 0.9, 2: 0.7})
    worse = Point('k=1', {0: 0.4, 1: 0.8, 3: 0.1})
    difference = Difference.between(better, worse)
    # Seeds 0 and 1 alone: 0.1 both times, however far the seeds lie apart.
    assert difference.mean == pytest.approx(0.1) and difference.error == pytest.approx(0)
    assert difference.num_seeds == 2 and difference.verdict == 'holds'
    assert Difference.between(better, None) is None
    assert Difference.between(better, Point('k=1', {4: 1.0})) is None


def test_verdicts():
    assert Difference(0.02, 0.01, 3).verdict == 'holds'
    assert Difference(-0.02, 0.01, 3).verdict == 'does not hold'
    assert Difference(0.01, 0.01, 3).verdict == 'within one standard error'
    assert Difference(0.0, 0.0, 3).verdict == 'within one standard error'
    assert Difference(0.5, math.nan, 1).verdict == 'one seed'
    # Two points less, where three are allowed.
    assert Difference(-0.02, 0.005, 3, margin=0.03).verdict == 'holds'
    assert str(Difference(-0.02, 0.005, 3, margin=0.03)) == '-2.0 ± 0.5, holds'


def test_what_is_affordable_is_not_chosen_by_accuracy():
    points = {f'k={k}': Point(f'k={k}', {0: 1 / k}, {0: float(k)}) for k in (1, 2, 4)}
    assert affordable(points, 3.0).label == 'k=2' and affordable(points, 4.0).label == 'k=4'
    assert affordable(points, 0.5) is None


def test_table_and_verdict():
    found = {
        ('plain', 'budgets'): {0: result((0.4, 0.5, 0.9)), 1: result((0.6, 0.5, 0.9))},
        ('avgn', 'budgets'): {
            seed: result((x, 0.8), (0.2, 0.3), 12, **{'saliency/AP': 0.5,
                                                     'saliency/event_rate': 0.25})
            for seed, x in ((0, 0.45), (1, 0.75), (2, 0.6))}}
    text = study_text(STUDY, found, 'mini')
    header, _, plain, avgn, claims, _, claim = rows(text)
    assert header == ['part', 'k=1', 'k=2', 'paper: k=1', 'saliency AP (event rate)', 'seeds']
    assert plain == ['none', '50.0 ± 10.0 (0.100)', '50.0 ± 0.0 (0.200)', '40.0 (2.0)', '-', '2']
    # Deviations of 15: sqrt(2 * 225 / 2 / 3).
    assert avgn == ['all', '60.0 ± 8.7 (0.200)', '80.0 ± 0.0 (0.300)', '50.0',
                    '0.500 ± 0.000 (0.250)', '3']
    assert claims == ['claim', 'k=1', 'k=2', 'at the GMACs of k=2']
    # Paired: 5 and 15 points, which deviate by 5: 5 * sqrt(2) / sqrt(2).
    assert claim == ['avgn over plain', '+10.0 ± 5.0, holds (paper: +10.0)',
                     '+30.0 ± 0.0, holds', '-10.0 ± 0.0, does not hold (against k=3)']
    assert 'Verdict: 2 of 2 comparisons hold, 0 are within' in text
    assert 'on mini, 10 videos' in text and 'T_G=12, k=2' in text and 'seeds 0, 1, 2,' in text
    # What else is known changes nothing.
    found['other', 'budgets'] = {7: result((0.1, ), num_glances=4, **{'patch/hit_rate': 1.0})}
    assert study_text(STUDY, found, 'mini') == text


def test_a_margin_is_named_and_not_taken_off():
    study = replace(STUDY, comparisons=(Comparison('avgn', 'plain', (1, ), margin=0.03), ))
    found = {('plain', 'budgets'): {0: result((0.5, )), 1: result((0.5, ))},
             ('avgn', 'budgets'): {0: result((0.48, )), 1: result((0.48, ))}}
    claim = rows(study_text(study, found, 'mini'))[-1]
    assert claim == ['avgn over plain (3 points allowed)', '-2.0 ± 0.0, holds (paper: +10.0)']


def test_what_was_not_run_is_said():
    text = study_text(STUDY, {}, 'mini')
    assert rows(text)[2] == ['none', 'not run', 'not run', '40.0 (2.0)', '0']
    assert text.endswith('Verdict: not run.')
    text = study_text(STUDY, {('avgn', 'budgets'): {0: result((0.5, 0.6))}}, 'mini')
    assert rows(text)[2][1] == 'not run' and rows(text)[3][1] == '50.0 (0.100)'


def test_points_of_other_kinds():
    cells = [dict(num_glances=2, power=0.5, top1=0.5, gmacs=0.1),
             dict(num_glances=2, chosen_power=0.7, top1=0.6, gmacs=0.2)]
    exits = dict(metric='top1', num_glances=2, cells=cells)
    line = Line('avgn', ('exits', ), measure='exits')
    points = points_of(line, {('avgn', 'exits'): {0: exits}})
    assert list(points) == ['p=0.5', 'own choice'] and points['own choice'].cost == 0.2
    # Of several T_G the line's own.
    both = result((0.5, ), num_glances=4)
    both['cells'] += result((0.9, ), num_glances=12)['cells']
    found = {('avgn', 'budgets'): {0: both}}
    assert points_of(Line('avgn', ()), found)['k=1'].accuracy == {0: 0.5}
    assert points_of(Line('avgn', (), num_glances=12), found)['k=1'].accuracy == {0: 0.9}


def test_rivals_at_the_same_cost():
    study = Study('All', 'It is best.', ('method', ),
                  (Line('avgn', ('AVGN', ), name='AVGN'), Line('cheap', ('cheap', )),
                   Line('good', ('good', ))), against=('AVGN', ))
    found = {
        ('avgn', 'budgets'): {s: result((0.6 + s / 100, 0.8), (0.2, 0.4)) for s in (0, 1)},
        ('cheap', 'budgets'): {s: result((0.9, ), (0.1, )) for s in (0, 1)},
        ('good', 'budgets'): {s: result((0.3, 0.5, 0.9), (0.1, 0.3, 0.5)) for s in (0, 1)}}
    text = study_text(study, found, 'mini')
    _, _, cheap, good = rows(text)[-4:]
    assert cheap == ['cheap', 'costs more']
    # At 0.3 AVGN's k=1 wins by 10.5; at 0.5 its k=2 loses by 10. At 0.1 it has nothing.
    assert good == ['good', '-10.0 ± 0.0, does not hold (k=3; 2 of 3 settings)']
    assert 'AVGN lies above 0 of the 1 methods that have several seeds and a setting' in text
