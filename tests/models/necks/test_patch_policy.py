"""pi, the recurrent patch extraction network (eq. 5)."""

import pytest
import torch

from avgn_mm.models.necks import PatchPolicy


def policy() -> PatchPolicy:
    module = PatchPolicy(in_channels=3, feature_size=2, hidden_channels=4, embed_dims=8)
    with torch.no_grad():
        module.coordinates.weight.mul_(5)
    return module.eval()


@torch.no_grad()
def test_a_frame_depends_on_earlier_frames_only():
    pi, maps = policy(), torch.randn(6, 3, 2, 2)
    for lengths in ([6], [3, 3], [4, 2]):
        actions, _ = pi(maps, lengths)
        assert actions.shape == (6, 2)
        assert ((actions > 0) & (actions < 1)).all()
        for frame in range(6):
            other = maps.clone()
            other[frame] = torch.randn(3, 2, 2)
            changed = ((pi(other, lengths)[0] - actions).abs().amax(dim=1) > 1e-7).tolist()
            last = next(end for end in torch.tensor(lengths).cumsum(0).tolist() if end > frame)
            assert changed == [frame <= i < last for i in range(6)]


@torch.no_grad()
def test_videos_of_different_lengths_equal_separate_runs():
    pi = policy()
    lengths = [3, 1, 4, 1]
    maps = torch.randn(sum(lengths), 3, 2, 2)
    apart = [pi(part, [len(part)]) for part in maps.split(lengths)]
    actions, memory = pi(maps, lengths)
    torch.testing.assert_close(actions, torch.cat([part for part, _ in apart]))
    torch.testing.assert_close(memory, torch.cat([part for _, part in apart]))


@pytest.mark.parametrize('lengths', [[(2, 1), (2, 1)], [(1, 3), (4, 2)], [(3, 1), (1, 1)]])
@torch.no_grad()
def test_memory_goes_on_where_it_left_off(lengths):
    """Each video's frames in two calls, each call with other lengths, equal those in one."""
    pi = policy()
    videos = [torch.randn(first + second, 3, 2, 2) for first, second in lengths]
    at_once, final = pi(torch.cat(videos), [len(video) for video in videos])
    memory, parts = None, []
    for call in range(2):
        pieces = [video.split(pair)[call] for video, pair in zip(videos, lengths)]
        actions, memory = pi(torch.cat(pieces), [pair[call] for pair in lengths], memory)
        parts.append(actions.split([pair[call] for pair in lengths]))
    torch.testing.assert_close(torch.cat([torch.cat(video) for video in zip(*parts)]), at_once)
    torch.testing.assert_close(memory, final)


@torch.no_grad()
def test_coordinates_are_a_sigmoid():
    pi = policy()
    pi.coordinates.weight.zero_()
    pi.coordinates.bias.copy_(torch.tensor([0., 3.]).log1p())  # logits of 1/2 and 4/5
    actions, _ = pi(torch.randn(1, 3, 2, 2), [1])
    torch.testing.assert_close(actions, torch.tensor([[0.5, 0.8]]))


def test_gradient_flows_back_in_time():
    pi, maps = policy(), torch.randn(3, 3, 2, 2, requires_grad=True)
    actions, _ = pi(maps, [3])
    actions[1].sum().backward()
    assert (maps.grad.abs().sum(dim=(1, 2, 3)) > 0).tolist() == [True, True, False]


def test_maps_of_another_size():
    with pytest.raises(ValueError, match=r'feature_size=2, but the maps of f_G are 3 x 2'):
        policy()(torch.randn(1, 3, 3, 2), [1])


def test_few_places():
    """The nearest of n places a side, with the gradient of the place that was asked for."""
    pi, maps = policy().requires_grad_(), torch.randn(12, 3, 2, 2)
    wanted, memory = pi(maps, [4, 8])
    pi.num_places = 5
    chosen, same_memory = pi(maps, [4, 8])
    assert set(chosen.flatten().tolist()) <= {0., .25, .5, .75, 1.}
    assert len(chosen.unique()) > 1 and (chosen - wanted).abs().max() <= 0.125
    torch.testing.assert_close(memory, same_memory)
    slopes = torch.randn(12, 2)
    for asked, given in zip(*(torch.autograd.grad((places * slopes).sum(), pi.parameters())
                              for places in (wanted, chosen))):
        torch.testing.assert_close(asked, given)


def test_one_place_is_no_choice():
    with pytest.raises(ValueError, match='num_places=1'):
        PatchPolicy(in_channels=3, num_places=1)
