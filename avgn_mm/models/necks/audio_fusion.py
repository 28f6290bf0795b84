"""psi, the audio fusion transformer before the classifier (AVGN section 3.3)."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.registry import MODELS


@MODELS.register_module()
class AudioFusion(BaseModule):
    """Gather, for each frame, what matters to it from the audio of the whole video.

    One pre-norm transformer layer; the pooled e^G_t is the query, the pooled e^A of all T frames
    are keys and values. (``nn.MultiheadAttention`` would project the keys and values again for each
    frame that early exit looks at.)

    Args:
        visual_channels (int): D_G.
        audio_channels (int): D_A.
        embed_dims (int): Channels of e^AT. Defaults to 512.
        num_heads (int): Defaults to 8.
        feedforward_channels (int): Defaults to 1024.

    Raises:
        ValueError: If the heads do not divide the channels.
    """

    def __init__(self,
                 *,
                 visual_channels: int,
                 audio_channels: int,
                 embed_dims: int = 512,
                 num_heads: int = 8,
                 feedforward_channels: int = 1024) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} must be a multiple of num_heads={num_heads}')
        self.out_channels = embed_dims
        self.num_heads = num_heads
        self.query_proj = nn.Linear(visual_channels, embed_dims)
        self.query_norm = nn.LayerNorm(embed_dims)
        self.audio_norm = nn.LayerNorm(audio_channels)
        self.to_query = nn.Linear(embed_dims, embed_dims)
        self.to_key = nn.Linear(audio_channels, embed_dims)
        self.to_value = nn.Linear(audio_channels, embed_dims)
        self.out = nn.Linear(embed_dims, embed_dims)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(embed_dims), nn.Linear(embed_dims, feedforward_channels), nn.GELU(),
            nn.Linear(feedforward_channels, embed_dims))

    def _heads(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, embed_dims) -> (B, heads, N, embed_dims / heads)."""
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def encode_audio(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values, which depend on the video alone.

        Args:
            audio (torch.Tensor): (B, T, D_A), pooled e^A of all frames.

        Returns:
            tuple[torch.Tensor, torch.Tensor]: Each (B, num_heads, T, embed_dims / num_heads).
        """
        audio = self.audio_norm(audio)
        return self._heads(self.to_key(audio)), self._heads(self.to_value(audio))

    def forward(self, visual: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
                ) -> torch.Tensor:
        """Compute e^AT.

        Args:
            visual (torch.Tensor): (B, N, D_G), pooled e^G of any N frames.
            keys, values (torch.Tensor): Of the frames' videos, from :meth:`encode_audio`.

        Returns:
            torch.Tensor: (B, N, embed_dims).
        """
        fused = self.query_proj(visual)
        query = self._heads(self.to_query(self.query_norm(fused)))
        attended = F.scaled_dot_product_attention(query, keys, values)
        fused = fused + self.out(attended.transpose(1, 2).flatten(2))
        return fused + self.feedforward(fused)
