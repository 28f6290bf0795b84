"""What MMEngine lacks for training, testing and measuring."""

from .hooks import CostHook

__all__ = ['CostHook']
