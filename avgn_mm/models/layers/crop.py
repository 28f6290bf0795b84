"""The differentiable patch crop (AVGN section 3.2, equation 6; AdaFocusV2, CVPR 2022)."""

import torch
import torch.nn.functional as F


def patch_boxes(actions: torch.Tensor, patch_size: int, image_shape: tuple[int, int]
                ) -> torch.Tensor:
    """Turn the policy's output into boxes in image pixels.

    Args:
        actions (torch.Tensor): (..., 2) in [0, 1], order (y, x). The patch's top-left corner is
            ``action * (image - P)``, so that every patch lies inside the image.
        patch_size (int): P, in pixels.
        image_shape (tuple[int, int]): Height and width of the image in pixels.

    Returns:
        torch.Tensor: (..., 4): left, top, right, bottom, in pixels from the image's corner.
    """
    height, width = image_shape
    # Half precision, as of --amp, would misplace the pixels by up to one.
    actions = actions.to(torch.promote_types(actions.dtype, torch.float32))
    top = actions[..., 0] * (height - patch_size)
    left = actions[..., 1] * (width - patch_size)
    return torch.stack((left, top, left + patch_size, top + patch_size), dim=-1)


def crop_patches(images: torch.Tensor, actions: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Crop one P x P patch from each image at a continuous place.

    Each pixel of the patch lies at the patch's corner plus a fixed offset of whole pixels (eq. 6)
    and is interpolated from its four neighbours, so that the gradient of the patch reaches the
    place.

    Args:
        images (torch.Tensor): (N, 3, H, W).
        actions (torch.Tensor): (N, 2) in [0, 1], order (y, x), as in :func:`patch_boxes`.
        patch_size (int): P, in pixels.

    Returns:
        torch.Tensor: (N, 3, P, P).

    Raises:
        ValueError: If the patch is larger than the image.
    """
    height, width = images.shape[-2:]
    if patch_size > min(height, width):
        raise ValueError(f'model.patch_size={patch_size} is larger than the {height} x {width} '
                         'image that the pipeline gives: lower it, or crop less')
    boxes = patch_boxes(actions, patch_size, (height, width))
    # grid_sample wants pixel centres, scaled so that the image's borders are at -1 and 1.
    offsets = torch.arange(patch_size, dtype=boxes.dtype, device=boxes.device) + 0.5
    x = (boxes[:, 0, None] + offsets) * (2 / width) - 1
    y = (boxes[:, 1, None] + offsets) * (2 / height) - 1
    grid = torch.stack((x[:, None, :].expand(-1, patch_size, -1),
                        y[:, :, None].expand(-1, -1, patch_size)), dim=-1)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode='border',
                         align_corners=False)


def pool_patches(maps: torch.Tensor, actions: torch.Tensor, patch_size: int, image_size: int
                 ) -> torch.Tensor:
    """Average feature maps over what lies under the patches, which is differentiable in place.

    Args:
        maps (torch.Tensor): (B, N, D, H, W), of the whole images.
        actions (torch.Tensor): (B, N, 2), as in :func:`patch_boxes`.
        patch_size (int): P, in pixels of the images.
        image_size (int): Width of the images, of which the patch is the same share.

    Returns:
        torch.Tensor: (B, N, D).
    """
    side = max(round(patch_size * maps.shape[-1] / image_size), 1)
    patches = crop_patches(maps.flatten(0, 1), actions.flatten(0, 1), side)
    return patches.mean(dim=(2, 3)).unflatten(0, maps.shape[:2])
