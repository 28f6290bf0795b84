"""From the results of a study's rows to its tables and verdicts; nothing in them is set by hand.

A value is a mean over the seeds with its standard error (the standard deviation with n - 1, over
the square root of n). Two lines are compared seed by seed: the difference's error is that of the
differences. A claim holds if the difference is above zero by more than its error.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from avgn_mm.engine.analysis import markdown_table

from .studies import METHODS, Comparison, Line, Study

CHOSEN = 'own choice'
# Metrics of the config's own test, with that of chance.
EXTRAS = {
    'saliency AP (event rate)': ('saliency/AP', 'saliency/event_rate'),
    'patch hit rate (centre crop)': ('patch/hit_rate', 'patch/centre_hit_rate'),
}
# By row and measure, by seed: the content of a result file.
Found = Mapping[tuple[str, str], Mapping[int, dict]]


@dataclass
class Point:
    """A line's results at one setting.

    Attributes:
        label: ``k=4``, ``p=0.5`` for early exit, or ``CHOSEN``.
        accuracy: By seed, a share of 1.
        gmacs: By seed; empty where it was not counted.
    """
    label: str
    accuracy: dict[int, float] = field(default_factory=dict)
    gmacs: dict[int, float] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """Mean GMACs, or not a number."""
        return float(np.mean([*self.gmacs.values()])) if self.gmacs else math.nan


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error, which is not a number for less than two values."""
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), float(error)


def points_of(line: Line, found: Found) -> dict[str, Point]:
    """A line's points by label, in the order of the result files."""
    points: dict[str, Point] = {}
    for seed, result in sorted(found.get((line.row, line.measure), {}).items()):
        glances = result['num_glances'] if line.num_glances is None else line.num_glances
        for cell in result['cells']:
            if cell.get('num_glances') != glances:
                continue
            label = CHOSEN
            if cell.get('num_focus') is not None:
                label = f'k={cell["num_focus"]}'
            elif 'power' in cell:
                label = f'p={cell["power"]}'
            point = points.setdefault(label, Point(label))
            point.accuracy[seed] = cell[result['metric']]
            if 'gmacs' in cell:
                point.gmacs[seed] = cell['gmacs']
    return points


def affordable(points: Mapping[str, Point], gmacs: float) -> Point | None:
    """The most expensive point that costs no more; nothing is chosen by its accuracy."""
    there = [point for point in points.values() if point.cost <= gmacs * (1 + 1e-6)]
    return max(there, key=lambda point: point.cost, default=None)


@dataclass
class Difference:
    """How much more accurate one point is than another.

    Attributes:
        mean, error: In shares of 1.
        num_seeds: How many seeds both have.
        margin: By how much less accurate it may be.
    """
    mean: float
    error: float
    num_seeds: int
    margin: float = 0.0

    @classmethod
    def between(cls, better: Point | None, worse: Point | None, margin: float = 0.0
                ) -> 'Difference | None':
        """Pair by seeds; None if there is no seed that both have."""
        seeds = sorted(better.accuracy.keys() & worse.accuracy) if better and worse else ()
        if not seeds:
            return None
        differences = [better.accuracy[seed] - worse.accuracy[seed] for seed in seeds]
        return cls(*mean_and_error(differences), len(seeds), margin)

    @property
    def verdict(self) -> str:
        """Whether the claim holds."""
        above = self.mean + self.margin
        if math.isnan(self.error):
            return 'one seed'
        if abs(above) <= self.error:
            return 'within one standard error'
        return 'holds' if above > 0 else 'does not hold'

    def __str__(self) -> str:
        return f'{signed(self.mean, self.error)}, {self.verdict}'


def signed(mean: float, error: float) -> str:
    """``+1.2 ± 0.3``, in points."""
    text = f'{100 * mean:+.1f}'
    return text if math.isnan(error) else f'{text} ± {100 * error:.1f}'


def percent(values: Sequence[float]) -> str:
    """``97.2 ± 0.3``."""
    mean, error = mean_and_error(values)
    return f'{100 * mean:.1f}' if math.isnan(error) else f'{100 * mean:.1f} ± {100 * error:.1f}'


def results_table(study: Study, found: Found) -> str:
    """All lines: accuracy and GMACs at each k, the paper's figures, and what else was measured."""
    points = {line.name: points_of(line, found) for line in study.lines}
    columns = [f'k={k}' for k in study.num_focus
               if any(f'k={k}' in points[name] for name in points) or not any(points.values())]
    if any(CHOSEN in points[name] for name in points):
        columns.append(CHOSEN)
    in_paper = [k for k in study.num_focus if any(k in line.paper for line in study.lines)]
    extras = [name for name, (metric, _) in EXTRAS.items() if any(
        metric in result['metrics'] for results in found.values() for result in results.values()
        if 'metrics' in result)]
    rows = [[*study.header, *columns, *(f'paper: k={k}' for k in in_paper), *extras, 'seeds']]
    for line in study.lines:
        results = found.get((line.row, line.measure), {})
        row = list(line.titles)
        for label in columns:
            point = points[line.name].get(label)
            cell = '-' if points[line.name] else 'not run'
            if point is not None:
                cell = percent([*point.accuracy.values()])
                if point.gmacs:
                    cell += f' ({point.cost:#.3g})'
            row.append(cell)
        for k in in_paper:
            row.append(f'{line.paper[k]:.1f}' if k in line.paper else '-')
            if k in line.paper_gflops:
                row[-1] += f' ({line.paper_gflops[k]:.1f})'
        tested = results if line.measure != 'patches' else found.get((line.row, 'budgets'), {})
        metrics = [result.get('metrics', {}) for result in tested.values()
                   if line.num_glances in (None, result['num_glances'])]
        row += [_extra(metrics, *EXTRAS[name]) for name in extras]
        seeds = {seed for point in points[line.name].values() for seed in point.accuracy}
        rows.append([*row, str(len(seeds))])
    return markdown_table(rows)


def _extra(metrics: Sequence[dict], name: str, chance: str) -> str:
    """A metric's mean and error, and in brackets the mean of what chance gives."""
    values = [found[name] for found in metrics if name in found]
    if not values:
        return '-'
    mean, error = mean_and_error(values)
    text = f'{mean:.3f}' if math.isnan(error) else f'{mean:.3f} ± {error:.3f}'
    return f'{text} ({np.mean([found[chance] for found in metrics if chance in found]):.3f})'


def comparisons_table(study: Study, found: Found) -> tuple[str, list[Difference]]:
    """Each comparison at each of its k, with the paper's difference in brackets."""
    lines = {line.name: line for line in study.lines}
    points = {name: points_of(line, found) for name, line in lines.items()}
    ks = sorted({k for comparison in study.comparisons for k in comparison.num_focus})
    matched = sorted({c.matched for c in study.comparisons if c.matched is not None})
    rows = [['claim', *(f'k={k}' for k in ks), *(f"at the GMACs of k={k}" for k in matched)]]
    differences = []
    for comparison in study.comparisons:
        better, worse = points[comparison.better], points[comparison.worse]
        row = [f'{comparison.better} over {comparison.worse}']
        if comparison.margin:
            row[0] += f' ({100 * comparison.margin:.0f} points allowed)'
        for k in ks:
            found_here = None
            if k in comparison.num_focus:
                found_here = Difference.between(
                    better.get(f'k={k}'), worse.get(f'k={k}'), comparison.margin)
            text = '-' if found_here is None else str(found_here)
            papers = [lines[name].paper for name in (comparison.better, comparison.worse)]
            if k in comparison.num_focus and all(k in paper for paper in papers):
                text += f' (paper: {papers[0][k] - papers[1][k]:+.1f})'
            if found_here is not None:
                differences.append(found_here)
            row.append(text)
        row += [_matched(better, worse, comparison, k) for k in matched]
        rows.append(row)
    return markdown_table(rows), differences


def _matched(better: Mapping[str, Point], worse: Mapping[str, Point], comparison: Comparison,
             k: int) -> str:
    """Both at the GMACs that the better one needs for k frames."""
    if comparison.matched != k or f'k={k}' not in better:
        return '-'
    point = affordable(worse, better[f'k={k}'].cost)
    difference = Difference.between(better[f'k={k}'], point, comparison.margin)
    if difference is None:
        return '-'
    return f'{difference} (against {point.label})'


def rivals_table(study: Study, found: Found) -> tuple[str, list[str]]:
    """Each line of ``study.against`` at the cost of each setting of the other rows.

    Returns:
        tuple[str, list[str]]: The table, in which a cell is the setting at which the line does
        worst, and for each line a sentence.
    """
    points = {line.name: points_of(line, found) for line in study.lines}
    own_rows = {line.row for line in study.lines if line.name in study.against}
    rivals = [line.name for line in study.lines if line.row not in own_rows]
    rows = [['against', *study.against]]
    above = dict.fromkeys(study.against, 0)
    compared = dict.fromkeys(study.against, 0)
    for rival in rivals:
        row = [rival]
        for name in study.against:
            held = [(Difference.between(affordable(points[name], point.cost), point), point)
                    for point in points[rival].values()]
            held = [(difference, point) for difference, point in held if difference is not None]
            if not held:
                row.append('costs more' if points[rival] and points[name] else '-')
                continue
            worst, point = min(held, key=lambda pair: pair[0].mean)
            if any(difference.verdict == 'one seed' for difference, _ in held):
                row.append(f'{worst} ({point.label})')
                continue
            compared[name] += 1
            above[name] += all(difference.verdict == 'holds' for difference, _ in held)
            row.append(f'{worst} ({point.label}; {len(held)} of {len(points[rival])} settings)')
        rows.append(row)
    sentences = [f'{name} lies above {above[name]} of the {compared[name]} methods that have '
                 'several seeds and a setting at its cost' if compared[name] else
                 f'{name}: nothing to compare' for name in study.against]
    return markdown_table(rows), sentences


def study_text(study: Study, found: Found, dataset: str) -> str:
    """A study's claim, tables and verdict, in Markdown.

    Args:
        study (Study): The study.
        found (Found): What is known of its rows, and maybe of others.
        dataset (str): Name.
    """
    found = {pair: found[pair] for pair in study.measures() if pair in found}
    results = [result for by_seed in found.values() for result in by_seed.values()]
    seeds = sorted({seed for by_seed in found.values() for seed in by_seed})
    parts = [f'**{study.title}.** {study.claim}', results_table(study, found)]
    if results:
        unit = (f'{results[0]["metric"]} in percent on {dataset}, {results[0]["num_videos"]} '
                f'videos; mean ± standard error over seeds {", ".join(map(str, seeds))}, in '
                'brackets mean GMACs.')
        if any(line.paper for line in study.lines):
            unit += ' Paper: mAP on ActivityNet (GFLOPs).'
        # T_G and k of AVGN's own tests.
        own = {(result['num_glances'], result['num_focus']) for (row, measure), by_seed in
               found.items() if measure == 'budgets' and (row == 'avgn' or row not in METHODS)
               for result in by_seed.values() if result['num_glances']}
        if own:
            unit += (' AVGN\'s AP and hit rate are those at T_G={}, k={}; in brackets chance.'
                     .format(*min(own)))
        parts.append(unit)
    if study.comparisons:
        table, differences = comparisons_table(study, found)
        verdicts = [difference.verdict for difference in differences]
        parts += [table, f'Verdict: {verdicts.count("holds")} of {len(verdicts)} comparisons hold, '
                  f'{verdicts.count("within one standard error")} are within one standard error, '
                  f'{verdicts.count("does not hold")} do not hold, {verdicts.count("one seed")} '
                  'have one seed only.' + (' (Those at equal GMACs are not counted.)' if any(
                      comparison.matched for comparison in study.comparisons) else '')
                  if verdicts else 'Verdict: not run.']
    if study.against:
        table, sentences = rivals_table(study, found)
        parts += ['At the same or a lower cost; of all settings of the other method the one where '
                  f'AVGN does worst:\n\n{table}', f'Verdict: {"; ".join(sentences)}.']
    return '\n\n'.join(parts)
