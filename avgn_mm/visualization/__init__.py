"""Pictures of what a model looked at and of what it costs."""

from .glance_figure import draw_glances
from .tradeoff import draw_methods, draw_tradeoff

__all__ = ['draw_glances', 'draw_methods', 'draw_tradeoff']
