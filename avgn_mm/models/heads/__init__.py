from .avgn_head import AVGNHead
from .pooling_classifier import PoolingClassifier

__all__ = ['AVGNHead', 'PoolingClassifier']
