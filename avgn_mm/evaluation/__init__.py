from .metrics import CostMetric, PatchHitMetric, SaliencyMetric

__all__ = ['CostMetric', 'PatchHitMetric', 'SaliencyMetric']
