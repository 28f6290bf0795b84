"""The differentiable crop (eq. 6) on ramps, whose pixels tell their own coordinates."""

import pytest
import torch

from avgn_mm.models.layers import crop_patches, patch_boxes

HEIGHT, WIDTH = 7, 9


def ramps(number: int) -> torch.Tensor:
    """Channel 0 holds x, channel 1 holds y, channel 2 the image's number."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing='ij')
    return torch.stack([torch.stack((x, y, torch.full_like(x, i))) for i in range(number)]).float()


@pytest.mark.parametrize('action, top_left', [
    ((0.25, 0.5), (1., 3.)),  # 0.25 * (7 - 3), 0.5 * (9 - 3)
    ((0.1, 0.3), (0.4, 1.8)),  # between pixels
    ((0., 0.), (0., 0.)),
    ((1., 1.), (4., 6.)),
    ((0., 1.), (0., 6.)),
])
def test_pixels_at_known_actions(action, top_left):
    patch = crop_patches(ramps(1), torch.tensor([action]), 3)[0]
    top, left = top_left
    expected_x = torch.tensor([left, left + 1, left + 2]).expand(3, 3)
    expected_y = torch.tensor([top, top + 1, top + 2])[:, None].expand(3, 3)
    torch.testing.assert_close(patch, torch.stack((expected_x, expected_y, torch.zeros(3, 3))),
                               rtol=0, atol=1e-5)


def test_four_neighbours_are_blended():
    image = torch.tensor([[0., 8.], [16., 4.]]).expand(1, 3, 2, 2)
    # y = 0.25, x = 0.75: 0.75 * (0.25 * 0 + 0.75 * 8) + 0.25 * (0.25 * 16 + 0.75 * 4)
    patch = crop_patches(image, torch.tensor([[0.25, 0.75]]), 1)
    torch.testing.assert_close(patch, torch.full((1, 3, 1, 1), 6.25))


def test_each_image_gets_its_own_patch():
    patches = crop_patches(ramps(2), torch.tensor([[0., 0.5], [0.5, 0.]]), 3)
    torch.testing.assert_close(patches[:, :, 0, 0], torch.tensor([[3., 0., 0.], [0., 2., 1.]]))


def test_patch_of_the_whole_image_is_the_image():
    images = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(crop_patches(images, torch.rand(2, 2), 5), images)


def test_gradient_of_the_place():
    actions = torch.tensor([[0.1, 0.3]], requires_grad=True)
    patch = crop_patches(ramps(1), actions, 3)[0]
    # Nine pixels, each left + j or top + i, and d left / d a_x = 9 - 3, d top / d a_y = 7 - 3.
    (of_x,) = torch.autograd.grad(patch[0].sum(), actions, retain_graph=True)
    (of_y,) = torch.autograd.grad(patch[1].sum(), actions)
    torch.testing.assert_close(of_x, torch.tensor([[0., 54.]]), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(of_y, torch.tensor([[36., 0.]]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_actions_do_not_blur_the_offsets(dtype):
    """Under --amp the policy gives half precision; pixel 200.5 has no bfloat16."""
    image = torch.arange(224.).expand(1, 3, 224, 224)
    action = torch.tensor([[0.5, 0.3]], dtype=dtype)
    left = action[0, 1].item() * 96
    torch.testing.assert_close(crop_patches(image, action, 128)[0, 0, 0],
                               left + torch.arange(128.), rtol=0, atol=1e-3)
    assert patch_boxes(action, 128, (224, 224))[0, 0].item() == pytest.approx(left)


def test_boxes():
    boxes = patch_boxes(torch.tensor([[[0.25, 0.5], [1., 0.]]]), 3, (HEIGHT, WIDTH))
    assert boxes.tolist() == [[[3., 1., 6., 4.], [0., 4., 3., 7.]]]


def test_patch_larger_than_the_image():
    with pytest.raises(ValueError, match='patch_size=8 is larger than the 7 x 9 image'):
        crop_patches(ramps(1), torch.zeros(1, 2), 8)
