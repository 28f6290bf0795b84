from .audio_dropout import AudioDropout
from .crop import crop_patches, patch_boxes, pool_patches

__all__ = ['AudioDropout', 'crop_patches', 'patch_boxes', 'pool_patches']
