"""Exact counts, where the usual counters report nothing."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from avgn_mm.evaluation.cost import count_affine, count_macs


@pytest.fixture(params=['no_grad', 'inference_mode'])
def count(request):
    """MACs of a call, as the caller's gradient mode should not matter."""
    if request.param == 'no_grad':
        return count_macs

    def count_in_inference_mode(function):
        with torch.inference_mode():
            return count_macs(function)

    return count_in_inference_mode


def test_convolution(count):
    conv, images = nn.Conv2d(6, 8, (3, 5), stride=2, padding=1, groups=2), torch.randn(2, 6, 9, 9)
    # Maps of 5 x 4; each value of 8 channels is 3 x 5 products with 6 / 2 channels.
    assert count(lambda: conv(images)) == 2 * 8 * 5 * 4 * 3 * 5 * 3


def test_video_convolution(count):
    conv, clip = nn.Conv3d(3, 4, 3, padding=1), torch.randn(1, 3, 5, 6, 7)
    assert count(lambda: conv(clip)) == 4 * 5 * 6 * 7 * 3 * 27


def test_linear(count):
    for bias in (True, False):
        linear = nn.Linear(5, 7, bias=bias)
        assert count(lambda: linear(torch.randn(2, 3, 5))) == 2 * 3 * 5 * 7  # noqa: B023


def attention_macs(videos: int, queries: int, keys: int, channels: int) -> int:
    """Scores and weighted sum, whatever the number of heads."""
    return videos * 2 * queries * keys * channels


def test_scaled_dot_product_attention(count):
    query, key, value = torch.randn(2, 4, 5, 6), torch.randn(2, 4, 7, 6), torch.randn(2, 4, 7, 3)
    attended = 2 * 4 * 5 * 7 * (6 + 3)
    assert count(lambda: F.scaled_dot_product_attention(query, key, value)) == attended


@pytest.mark.parametrize('need_weights', [True, False])
def test_multi_head_attention(count, need_weights):
    attention = nn.MultiheadAttention(8, 2, kdim=3, vdim=3, batch_first=True).eval()
    query, windows = torch.randn(2, 5, 8), torch.randn(2, 7, 3)
    expected = 2 * (2 * 5 * 8 * 8 + 2 * 7 * 3 * 8) + attention_macs(2, 5, 7, 8)
    assert count(
        lambda: attention(query, windows, windows, need_weights=need_weights)) == expected


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('norm_first', [False, True])
def test_transformer_layer(count, norm_first, training):
    """In eval mode PyTorch would run it as one operator, of which counters know nothing."""
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0., batch_first=True, norm_first=norm_first).train(training)
    expected = 2 * 5 * (4 * 8 * 8 + 2 * 8 * 16) + attention_macs(2, 5, 5, 8)
    assert count(lambda: layer(torch.randn(2, 5, 8))) == expected


def test_transformer_encoder(count):
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), num_layers=3).eval()
    expected = 3 * (2 * 5 * (4 * 8 * 8 + 2 * 8 * 16) + attention_macs(2, 5, 5, 8))
    assert count(lambda: encoder(torch.randn(2, 5, 8))) == expected


@pytest.mark.parametrize('layers, bidirectional', [(1, False), (2, False), (1, True)])
def test_gru(count, layers, bidirectional):
    gru = nn.GRU(4, 6, layers, batch_first=True, bidirectional=bidirectional).eval()
    expected = 2 * 5 * 3 * 6 * (4 + 6)
    if layers == 2:
        expected += 2 * 5 * 3 * 6 * (6 + 6)
    expected *= 2 if bidirectional else 1
    assert count(lambda: gru(torch.randn(2, 5, 4))) == expected


def test_packed_gru(count):
    """Sequences of 2, 5 and 1 steps cost 8 steps, not 15."""
    gru = nn.GRU(4, 6).eval()
    packed = pack_sequence([torch.randn(n, 4) for n in (2, 5, 1)], enforce_sorted=False)
    assert count(lambda: gru(packed)) == 8 * 3 * 6 * (4 + 6)


def test_gru_cell_in_a_loop(count):
    cell = nn.GRUCell(4, 6)

    def loop():
        memory = torch.zeros(2, 6)
        for _ in range(5):
            memory = cell(torch.randn(2, 4), memory)

    assert count(loop) == 2 * 5 * 3 * 6 * (4 + 6)


def test_crop_and_convolution(count):
    """Interpolation is free, as everywhere in the literature."""
    conv, images = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 9, 9)
    grid = torch.rand(2, 5, 6, 2)
    expected = 2 * 4 * 3 * 4 * 3 * 9
    assert count(lambda: conv(F.grid_sample(images, grid, align_corners=False))) == expected


def test_early_exit(count):
    """Python decides by the data; what is not run does not count."""
    linear = nn.Linear(4, 4)
    nn.init.eye_(linear.weight)
    nn.init.ones_(linear.bias)

    def run(start: float):
        videos = torch.tensor([[start], [0.]]).expand(2, 4)
        for _ in range(10):
            videos = linear(videos)
            videos = videos[videos[:, 0] < 4.5]
            if not len(videos):
                return

    # The second video needs five steps; the first one, ahead by 0 or 3, five or two.
    assert count(lambda: run(0.)) == (5 + 5) * 16
    assert count(lambda: run(3.)) == (5 + 2) * 16


def test_matrix_products_without_modules(count):
    a, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    assert count(lambda: a @ b) == 2 * 3 * 4 * 5
    assert count(lambda: torch.einsum('bik,bkj->bij', a, b)) == 2 * 3 * 4 * 5
    assert count(lambda: a + a.softmax(dim=1).relu()) == 0


def test_result_is_the_same_and_gradients_are_off():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    tokens, results = torch.randn(2, 5, 8), []
    count_macs(lambda: results.append(layer(tokens)))
    assert not results[0].requires_grad
    torch.testing.assert_close(results[0], layer(tokens))


@pytest.mark.parametrize('enabled', [True, False])
def test_settings_are_restored_even_after_an_error(enabled):
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        with pytest.raises(RuntimeError):
            count_macs(lambda: torch.zeros(2, 3) @ torch.zeros(2, 3))
        assert torch.backends.mha.get_fastpath_enabled() is enabled
        assert torch.backends.cuda.flash_sdp_enabled()
        assert torch.is_grad_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def test_affine_cost_is_split():
    once, each = nn.Linear(3, 5), nn.Linear(4, 7)

    def run(n: int):
        once(torch.zeros(1, 3))
        each(torch.zeros(n, 4))

    assert count_affine(run) == (15, 28)
