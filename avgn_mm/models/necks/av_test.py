"""AV-TeST, the Audio-Visual Temporal Saliency Transformer (AVGN section 3.1, eq. 2, 3 and 14).

The paper gives neither sizes nor positions; DESIGN decisions: 256 channels a modality, two
pre-norm layers, sinusoidal positions of the frames' true time indices, a sigmoid on the score.
"""

import math

import torch
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import MODELS


def sinusoidal_positions(positions: torch.Tensor, channels: int) -> torch.Tensor:
    """Encode time indices as Vaswani et al. (2017) do: (T,) -> (T, channels)."""
    rates = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.) / channels))
    angles = positions[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


@MODELS.register_module()
class AVTeST(BaseModule):
    """Score how much each of T frames matters, from all audio and the first T_G frames.

    Args:
        visual_channels (int): D_G, channels of f_G.
        audio_channels (int, optional): D_A, channels of f_A. Defaults to None: no audio.
        num_frames (int): T.
        embed_dims (int): D_AV, channels of one modality's token. Defaults to 256.
        num_layers (int): Transformer layers. Defaults to 2.
        num_heads (int): Attention heads. Defaults to 8.
        feedforward_channels (int): Defaults to 512.
    """

    def __init__(self,
                 *,
                 visual_channels: int,
                 num_frames: int,
                 audio_channels: int | None = None,
                 embed_dims: int = 256,
                 num_layers: int = 2,
                 num_heads: int = 8,
                 feedforward_channels: int = 512) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.visual_embed = nn.Linear(visual_channels, embed_dims)
        self.audio_embed = nn.Linear(audio_channels, embed_dims) if audio_channels else None
        channels = embed_dims * (2 if audio_channels else 1)
        self.mask_token = nn.Parameter(torch.randn(embed_dims) * 0.02)
        # The transformer sees frames in coarse-to-fine order; time is in the positions alone.
        order = torch.tensor(coarse_to_fine_order(num_frames))
        self.register_buffer(
            'positions', sinusoidal_positions(order, channels), persistent=False)
        # Not nn.TransformerEncoder, whose layers start as copies of one another.
        self.encoder = nn.Sequential(
            *(nn.TransformerEncoderLayer(
                channels, num_heads, feedforward_channels, dropout=0., activation='gelu',
                batch_first=True, norm_first=True) for _ in range(num_layers)),
            nn.LayerNorm(channels))
        self.score = nn.Linear(channels, 1)
        self.mask_encoder = nn.Sequential(
            nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, embed_dims))

    def forward(self,
                visual: torch.Tensor,
                audio: torch.Tensor | None,
                num_glances: int | None = None
                ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Score all frames; frames that are not glanced at show the mask token (eq. 14).

        Args:
            visual (torch.Tensor): (B, N, D_G), pooled e^G of the first N frames, N <= T.
            audio (torch.Tensor, optional): (B, T, D_A), pooled e^A of all frames.
            num_glances (int, optional): T_G <= N. Training encodes all frames and hides the last
                T - T_G from the transformer. Defaults to None, which means N.

        Returns:
            tuple[torch.Tensor, torch.Tensor, torch.Tensor]:

            - saliency (B, T), in (0, 1): eq. 3.
            - features (B, T, 2 D_AV), e^TF: eq. 2.
            - visual tokens (B, N, D_AV), before masking: the target of L_mask.
        """
        num_glances = num_glances or visual.shape[1]
        tokens = self.visual_embed(visual)
        masked = self.mask_token.expand(len(tokens), self.num_frames - num_glances, -1)
        sequence = torch.cat((tokens[:, :num_glances], masked), dim=1)
        if self.audio_embed is not None:
            sequence = torch.cat((sequence, self.audio_embed(audio)), dim=-1)
        features = self.encoder(sequence + self.positions)
        # In half precision scores would tie, and Gumbel noise (L_ord) overflow.
        return self.score(features).squeeze(-1).float().sigmoid(), features, tokens
