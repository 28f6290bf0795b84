"""What MMEngine lacks for training, testing and measuring."""

from .hooks import CostHook, TemperatureHook

__all__ = ['CostHook', 'TemperatureHook']
