"""Pictures of what a model looked at."""

from .glance_figure import draw_glances

__all__ = ['draw_glances']
