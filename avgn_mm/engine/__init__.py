"""What MMEngine lacks for training, testing and measuring."""

from .fast import accelerate, check_fast
from .glance_hook import GlanceVisualizationHook
from .hooks import CostHook, FastHook, TemperatureHook

__all__ = [
    'CostHook', 'FastHook', 'GlanceVisualizationHook', 'TemperatureHook', 'accelerate',
    'check_fast'
]
