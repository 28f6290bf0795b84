"""psi, the audio fusion transformer before the classifier (AVGN section 3.3)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class AudioFusion(BaseModule):
    """Gather, for each frame, what matters to it from the audio of the whole video.

    One pre-norm transformer layer; the pooled e^G_t is the query, the pooled e^A of all T frames
    are keys and values.

    Args:
        visual_channels (int): D_G.
        audio_channels (int): D_A.
        embed_dims (int): Channels of e^AT. Defaults to 512.
        num_heads (int): Defaults to 8.
        feedforward_channels (int): Defaults to 1024.
    """

    def __init__(self,
                 *,
                 visual_channels: int,
                 audio_channels: int,
                 embed_dims: int = 512,
                 num_heads: int = 8,
                 feedforward_channels: int = 1024) -> None:
        super().__init__()
        self.out_channels = embed_dims
        self.query_proj = nn.Linear(visual_channels, embed_dims)
        self.query_norm = nn.LayerNorm(embed_dims)
        self.audio_norm = nn.LayerNorm(audio_channels)
        self.attention = nn.MultiheadAttention(
            embed_dims, num_heads, kdim=audio_channels, vdim=audio_channels, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(embed_dims), nn.Linear(embed_dims, feedforward_channels), nn.GELU(),
            nn.Linear(feedforward_channels, embed_dims))

    def forward(self, visual: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Compute e^AT.

        Args:
            visual (torch.Tensor): (B, N, D_G), pooled e^G of any N frames.
            audio (torch.Tensor): (B, T, D_A), pooled e^A of all frames.

        Returns:
            torch.Tensor: (B, N, embed_dims).
        """
        query = self.query_proj(visual)
        audio = self.audio_norm(audio)
        attended, _ = self.attention(
            self.query_norm(query), audio, audio, need_weights=False)
        fused = query + attended
        return fused + self.feedforward(fused)
