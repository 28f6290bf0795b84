"""AESPA (eq. 4) against a literal re-implementation, frame by frame and head by head."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avgn_mm.models.necks import AESPA

NUM_VIDEOS, NUM_WINDOWS, NUM_BOTTLENECKS = 2, 5, 4
VIDEO_INDS = torch.tensor([1, 0, 0, 1, 1])


def aespa(num_layers: int) -> AESPA:
    module = AESPA(visual_channels=6, audio_channels=7, embed_dims=8, num_layers=num_layers,
                   num_heads=2, feedforward_channels=16, num_bottlenecks=NUM_BOTTLENECKS)
    for parameter in module.parameters():
        # Larger than PyTorch's initial values, so that no term hides behind another.
        nn.init.normal_(parameter, std=0.4)
    return module


def features() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(len(VIDEO_INDS), 6, 3, 2), torch.randn(NUM_VIDEOS, NUM_WINDOWS, 7)


def enhance(module, visual, audio, video_inds):
    """The frames ``visual``, each with the sound of its video."""
    return module(visual, *(stream[video_inds] for stream in module.encode_audio(audio)))


def layer_norm(tokens, norm):
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred / (variance + norm.eps).sqrt() * norm.weight + norm.bias


def transformer_layer(layer, tokens):
    """One pre-norm encoder layer over (N, D) tokens."""
    attention = layer.self_attn
    projected = layer_norm(tokens, layer.norm1) @ attention.in_proj_weight.T
    query, key, value = (projected + attention.in_proj_bias).chunk(3, dim=1)
    size = attention.head_dim
    heads = []
    for begin in range(0, attention.embed_dim, size):
        head = slice(begin, begin + size)
        weights = (query[:, head] @ key[:, head].T / size**0.5).softmax(dim=1)
        heads.append(weights @ value[:, head])
    tokens = tokens + attention.out_proj(torch.cat(heads, dim=1))
    return tokens + layer.linear2(F.gelu(layer.linear1(layer_norm(tokens, layer.norm2))))


def literal_aespa(module, visual, audio, video_inds):
    """Eq. 4 for each frame: both streams in all layers, bottlenecks averaged after each."""
    # The module leaves out the last audio layer, whose output goes nowhere: any will do.
    audio_layers = [*module.audio_layers, module.visual_layers[0]]
    outputs = []
    for frame, video in zip(visual, video_inds):
        z_visual = module.visual_proj(frame.flatten(1).T)
        z_audio = module.audio_proj(audio[video])
        bottlenecks = module.bottleneck_tokens
        for visual_layer, audio_layer in zip(module.visual_layers, audio_layers, strict=True):
            joined_audio = transformer_layer(audio_layer, torch.cat((z_audio, bottlenecks)))
            joined_visual = transformer_layer(visual_layer, torch.cat((z_visual, bottlenecks)))
            z_audio, hat_audio = joined_audio[:len(z_audio)], joined_audio[len(z_audio):]
            z_visual, hat_visual = joined_visual[:len(z_visual)], joined_visual[len(z_visual):]
            bottlenecks = (hat_audio + hat_visual) / 2
        outputs.append(z_visual.T.unflatten(1, frame.shape[1:]))
    return torch.stack(outputs)


@pytest.mark.parametrize('num_layers', [2, 3])
@pytest.mark.parametrize('training', [True, False])
@torch.no_grad()
def test_equals_the_equation(num_layers, training):
    module = aespa(num_layers).train(training)
    visual, audio = features()
    enhanced = enhance(module, visual, audio, VIDEO_INDS)
    assert enhanced.shape == (len(VIDEO_INDS), module.out_channels, 3, 2)
    torch.testing.assert_close(
        enhanced, literal_aespa(module, visual, audio, VIDEO_INDS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('num_layers', [2, 3])
@torch.no_grad()
def test_audio_passes_through_the_bottlenecks_only(num_layers):
    module = aespa(num_layers).eval()
    visual, audio = features()
    other = torch.randn_like(audio)
    changed = (enhance(module, visual, audio, VIDEO_INDS)
               - enhance(module, visual, other, VIDEO_INDS))
    assert changed.abs().max() > 1e-3

    def close_bottlenecks(layer, args, joined):
        joined[:, -NUM_BOTTLENECKS:] = 0
        return joined

    for layer in module.audio_layers:
        layer.register_forward_hook(close_bottlenecks)
    assert torch.equal(enhance(module, visual, audio, VIDEO_INDS),
                       enhance(module, visual, other, VIDEO_INDS))


@torch.no_grad()
def test_each_frame_hears_its_own_video():
    module = aespa(2).eval()
    visual, audio = features()
    other = audio.clone()
    other[1] += 1
    changed = (enhance(module, visual, audio, VIDEO_INDS)
               - enhance(module, visual, other, VIDEO_INDS)).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert changed.tolist() == [True, False, False, True, True]
