"""What MMEngine lacks for training, testing and measuring."""

from .bad_files_hook import BadFilesHook
from .checkpoint_hook import CheckpointHook
from .fast import accelerate, check_fast
from .glance_hook import GlanceVisualizationHook
from .hooks import CostHook, FastHook, TemperatureHook
from .loops import EpochBasedTrainLoop
from .weights import CompleteWeightsHook, check_weights

__all__ = [
    'BadFilesHook', 'CheckpointHook', 'CompleteWeightsHook', 'CostHook', 'EpochBasedTrainLoop',
    'FastHook', 'GlanceVisualizationHook', 'TemperatureHook', 'accelerate', 'check_fast',
    'check_weights'
]
