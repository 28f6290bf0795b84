from .patch_metric import PatchHitMetric
from .saliency_metric import SaliencyMetric

__all__ = ['PatchHitMetric', 'SaliencyMetric']
