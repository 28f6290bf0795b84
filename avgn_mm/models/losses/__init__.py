from .budget_distillation import BudgetDistillationLoss
from .exit_loss import ExitLoss, exit_target
from .hindsight import HindsightLoss
from .masked_reconstruction import MaskedReconstructionLoss
from .ordered_logits import OrderedLogitsLoss, sample_ordered_subset
from .patch_surrogate import PatchSurrogateLoss
from .ranking_loss import PairwiseRankingLoss
from .saliency_loss import ListwiseSaliencyLoss, SaliencyLoss, frame_confidence, saliency_target
from .subset_policy_loss import SubsetPolicyLoss, draw_from_segments, subset_log_prob

__all__ = [
    'BudgetDistillationLoss', 'ExitLoss', 'HindsightLoss', 'ListwiseSaliencyLoss',
    'MaskedReconstructionLoss', 'OrderedLogitsLoss', 'PairwiseRankingLoss', 'PatchSurrogateLoss',
    'SaliencyLoss', 'SubsetPolicyLoss', 'draw_from_segments', 'exit_target', 'frame_confidence',
    'saliency_target', 'sample_ordered_subset', 'subset_log_prob'
]
