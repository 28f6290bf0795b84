from .hindsight import HindsightLoss
from .masked_reconstruction import MaskedReconstructionLoss
from .ordered_logits import OrderedLogitsLoss, sample_ordered_subset
from .saliency_loss import SaliencyLoss, saliency_target

__all__ = [
    'HindsightLoss', 'MaskedReconstructionLoss', 'OrderedLogitsLoss', 'SaliencyLoss',
    'sample_ordered_subset', 'saliency_target'
]
