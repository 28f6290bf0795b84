from .cost_metric import CostMetric
from .patch_metric import PatchHitMetric
from .saliency_metric import SaliencyMetric

__all__ = ['CostMetric', 'PatchHitMetric', 'SaliencyMetric']
