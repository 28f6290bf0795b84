"""AESPA, Audio-Enhanced Spatial Patch Attention (AVGN section 3.2, eq. 4, Fig. 5).

Deviations from the paper's letter, and why:

- Both modalities are projected to ``embed_dims`` first. At D_G = 1280 one frame would cost about
  2 GMACs and a video 60, against the 27.6 that the paper's Table 3 prints for everything.
- The last layer has no audio transformer: its output would go nowhere. The first layer's audio
  stream is the same for all frames of a video and is computed once a video.
"""

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class AESPA(BaseModule):
    """Enhance the visual map of a frame with the audio of the whole video.

    Audio and visual tokens exchange information through a few bottleneck tokens only (as in MBT,
    Nagrani et al., NeurIPS 2021): each layer appends them to both sequences, and the two results
    are averaged.

    Args:
        visual_channels (int): D_G.
        audio_channels (int): D_A.
        embed_dims (int): Channels inside and of the output. Defaults to 128.
        num_layers (int): L. Defaults to 2.
        num_heads (int): Defaults to 4.
        feedforward_channels (int): Defaults to 512.
        num_bottlenecks (int): Bottleneck tokens. Defaults to 4.

    Raises:
        ValueError: If there are fewer than two layers.
    """

    def __init__(self,
                 *,
                 visual_channels: int,
                 audio_channels: int,
                 embed_dims: int = 128,
                 num_layers: int = 2,
                 num_heads: int = 4,
                 feedforward_channels: int = 512,
                 num_bottlenecks: int = 4) -> None:
        super().__init__()
        if num_layers < 2:
            raise ValueError(f'num_layers={num_layers}: with fewer than 2 layers nothing of the '
                             'audio reaches the visual tokens')
        self.out_channels = embed_dims
        self.num_bottlenecks = num_bottlenecks
        self.visual_proj = nn.Linear(visual_channels, embed_dims)
        self.audio_proj = nn.Linear(audio_channels, embed_dims)
        self.bottleneck_tokens = nn.Parameter(torch.randn(num_bottlenecks, embed_dims) * 0.02)

        def layer() -> nn.Module:
            return nn.TransformerEncoderLayer(
                embed_dims, num_heads, feedforward_channels, dropout=0., activation='gelu',
                batch_first=True, norm_first=True)

        self.visual_layers = nn.ModuleList(layer() for _ in range(num_layers))
        self.audio_layers = nn.ModuleList(layer() for _ in range(num_layers - 1))

    def encode_audio(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The first layer's audio stream, which depends on the video alone.

        Args:
            audio (torch.Tensor): (B, T, D_A), pooled e^A.

        Returns:
            tuple[torch.Tensor, torch.Tensor]: z^A_2 (B, T, embed_dims) and hat b^A_2
            (B, num_bottlenecks, embed_dims).
        """
        bottlenecks = self.bottleneck_tokens.expand(len(audio), -1, -1)
        return self._run(self.audio_layers[0], self.audio_proj(audio), bottlenecks)

    def forward(self, visual: torch.Tensor, audio_tokens: torch.Tensor,
                audio_bottlenecks: torch.Tensor) -> torch.Tensor:
        """Compute e^GA.

        Args:
            visual (torch.Tensor): (N, D_G, H_G, W_G), e^G of N frames.
            audio_tokens (torch.Tensor): (N, T, embed_dims), of each frame's video, from
                :meth:`encode_audio`.
            audio_bottlenecks (torch.Tensor): (N, num_bottlenecks, embed_dims), likewise.

        Returns:
            torch.Tensor: (N, embed_dims, H_G, W_G).
        """
        visual_tokens = self.visual_proj(visual.flatten(2).transpose(1, 2))
        bottlenecks = self.bottleneck_tokens.expand(len(visual_tokens), -1, -1)
        for index, visual_layer in enumerate(self.visual_layers):
            if 0 < index < len(self.audio_layers):
                audio_tokens, audio_bottlenecks = self._run(
                    self.audio_layers[index], audio_tokens, bottlenecks)
            visual_tokens, visual_bottlenecks = self._run(
                visual_layer, visual_tokens, bottlenecks)
            bottlenecks = (visual_bottlenecks + audio_bottlenecks) / 2
        return visual_tokens.transpose(1, 2).unflatten(2, visual.shape[-2:])

    def _run(self, layer: nn.Module, tokens: torch.Tensor, bottlenecks: torch.Tensor
             ) -> tuple[torch.Tensor, ...]:
        """One layer over [tokens, bottlenecks], split again."""
        joined = layer(torch.cat((tokens, bottlenecks), dim=1))
        return joined.split((tokens.shape[1], self.num_bottlenecks), dim=1)
