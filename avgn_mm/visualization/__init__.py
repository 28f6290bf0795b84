"""Pictures of what a model looked at and of what it costs."""

from .glance_figure import draw_glances, glance_figure, glance_image
from .glance_visualizer import GlanceVisualizer
from .highlight_figure import draw_highlights
from .report import write_report
from .tradeoff import draw_methods, draw_tradeoff

__all__ = [
    'GlanceVisualizer', 'draw_glances', 'draw_highlights', 'draw_methods', 'draw_tradeoff',
    'glance_figure', 'glance_image', 'write_report'
]
