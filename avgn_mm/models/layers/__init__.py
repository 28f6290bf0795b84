from .crop import crop_patches, patch_boxes

__all__ = ['crop_patches', 'patch_boxes']
