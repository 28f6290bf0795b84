from .metrics import PatchHitMetric, SaliencyMetric

__all__ = ['PatchHitMetric', 'SaliencyMetric']
