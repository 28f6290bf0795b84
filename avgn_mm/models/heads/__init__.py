from .avgn_head import AVGNHead
from .frame_head import FrameHead
from .glance_focus_head import GlanceFocusHead
from .pooling_classifier import PoolingClassifier
from .pooling_head import PoolingHead
from .video_head import VideoHead

__all__ = [
    'AVGNHead', 'FrameHead', 'GlanceFocusHead', 'PoolingClassifier', 'PoolingHead', 'VideoHead'
]
