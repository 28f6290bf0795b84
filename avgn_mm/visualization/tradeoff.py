"""Accuracy against computation, the picture of Fig. 2."""

from collections.abc import Sequence

import matplotlib

matplotlib.use('Agg')  # draws into files, on machines without a screen too

from matplotlib import pyplot as plt  # noqa: E402

MARKERS = 'osD^vPX*'


def draw_tradeoff(sweep: dict, filename: str, others: Sequence[dict] = ()) -> None:
    """Draw the results of a budget sweep, and those of other methods beside them.

    The sweep has one curve over k for each T_G, and one of early exit. Each of the others has one
    curve, of its results that no other result of the same method beats in both respects.

    Args:
        sweep (dict): As ``tools/analysis_tools/budget_sweep.py`` writes it: ``name``, ``metric``,
            and in ``cells`` and ``exits`` dicts with ``gmacs`` and the metric, a share of 1; cells
            also have ``num_glances``.
        filename (str): Picture to write; the ending tells the format.
        others (Sequence[dict]): Further sweeps.

    Raises:
        ValueError: If the sweeps do not have the same metric.
    """
    metric = sweep['metric']
    for other in others:
        if other['metric'] != metric:
            raise ValueError(f'{sweep["name"]} has {metric} but {other["name"]} has '
                             f'{other["metric"]}: they do not go on one picture')
    figure, axes = plt.subplots(figsize=(7, 5), layout='constrained')

    def plot(results: Sequence[dict], **style) -> None:
        results = sorted(results, key=lambda result: result['gmacs'])
        axes.plot([result['gmacs'] for result in results],
                  [100 * result[metric] for result in results], **style)

    budgets = sorted({cell['num_glances'] for cell in sweep['cells']})
    for i, number in enumerate(budgets):
        plot([cell for cell in sweep['cells'] if cell['num_glances'] == number],
             marker=MARKERS[i % len(MARKERS)], markersize=4, linewidth=1.2,
             color=plt.cm.viridis(i / max(len(budgets), 2)),
             label=f'{sweep["name"]}, $T_G$={number}')
    if sweep.get('exits'):
        plot(sweep['exits'], marker='.', linewidth=1.8, color='#e4572e',
             label=f'{sweep["name"]}, early exit')
    for i, other in enumerate(others):
        plot(pareto_front(other['cells'] + other.get('exits', []), metric),
             marker=MARKERS[i % len(MARKERS)], markersize=5, linestyle='--', linewidth=1.2,
             color=plt.cm.tab10(i % 10), label=other['name'])
    axes.set(xlabel='GMACs a video (mean)', ylabel=f'{metric} (%)')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc='lower right')
    figure.savefig(filename, dpi=150)
    plt.close(figure)


def draw_methods(rows: Sequence[dict], metric: str, filename: str) -> None:
    """Draw methods as points, those of one name joined.

    Args:
        rows (Sequence[dict]): With ``name``, ``gmacs`` and, in ``metrics``, the metric; with
            ``error``, as the metric a share of 1, a bar of so much to both sides.
        metric (str): Its name; a share of 1.
        filename (str): Picture to write.
    """
    figure, axes = plt.subplots(figsize=(7, 5), layout='constrained')
    for i, name in enumerate(dict.fromkeys(row['name'] for row in rows)):
        points = sorted((row['gmacs'], 100 * row['metrics'][metric], 100 * row.get('error', 0))
                        for row in rows if row['name'] == name)
        x, y, errors = zip(*points)
        axes.errorbar(x, y, yerr=errors if any(errors) else None,
                      marker=MARKERS[i % len(MARKERS)], markersize=6, linewidth=1.2, capsize=2,
                      color=plt.cm.tab20(i % 20), label=name)
    axes.set(xlabel='GMACs a video (mean)', ylabel=f'{metric} (%)')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc='lower right')
    figure.savefig(filename, dpi=150)
    plt.close(figure)


def pareto_front(results: Sequence[dict], metric: str) -> list[dict]:
    """Those results that are more accurate than all that cost no more, cheapest first."""
    front = []
    for result in sorted(results, key=lambda result: (result['gmacs'], -result[metric])):
        if not front or result[metric] > front[-1][metric]:
            front.append(result)
    return front
