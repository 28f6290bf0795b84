from .acc_metric import AccMetric
from .cost_metric import CostMetric
from .highlight_metric import HighlightMetric
from .patch_metric import PatchHitMetric
from .saliency_metric import SaliencyMetric

__all__ = ['AccMetric', 'CostMetric', 'HighlightMetric', 'PatchHitMetric', 'SaliencyMetric']
