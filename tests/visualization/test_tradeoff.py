"""The picture of accuracy against computation."""

import pytest

from avgn_mm.visualization import draw_tradeoff
from avgn_mm.visualization.tradeoff import pareto_front, plt


def result(gmacs, top1, num_glances=2):
    return dict(gmacs=gmacs, top1=top1, num_glances=num_glances)


def test_pareto_front_by_hand():
    results = [result(3, 0.6), result(1, 0.5), result(2, 0.5), result(3, 0.7), result(4, 0.65)]
    assert pareto_front(results, 'top1') == [result(1, 0.5), result(3, 0.7)]


def test_curves(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plt, 'close', figures.append)
    sweep = dict(name='mine', metric='top1', exits=[result(2, 0.6), result(1, 0.5)],
                 cells=[result(3, 0.7), result(1, 0.4), result(4, 0.8, 8)])
    other = dict(name='rival', metric='top1', cells=[result(2, 0.5), result(1, 0.6)])
    draw_tradeoff(sweep, str(tmp_path / 'tradeoff.png'), [other])
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
             for line in figures[0].axes[0].get_lines()}
    monkeypatch.undo()
    plt.close(figures[0])
    assert lines == {
        'mine, $T_G$=2': ([1, 3], [40, 70]), 'mine, $T_G$=8': ([4], [80]),
        'mine, early exit': ([1, 2], [50, 60]), 'rival': ([1], [60])}
    assert (tmp_path / 'tradeoff.png').stat().st_size > 5000


def test_one_picture_has_one_metric(tmp_path):
    sweep = dict(name='mine', metric='top1', cells=[result(1, 0.5)])
    with pytest.raises(ValueError, match='mine has top1 but rival has mAP'):
        draw_tradeoff(sweep, str(tmp_path / 'x.png'), [dict(sweep, name='rival', metric='mAP')])
