"""AdaMML's policy network: which modalities each segment of a video needs (ICCV 2021)."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import MODELS


@MODELS.register_module()
class ModalityPolicy(BaseModule):
    """Light networks on sight and sound, a joint MLP, an LSTM, and for each modality: use or skip?

    The LSTM reads the segments in time order. Beside a segment's features it gets its own logits
    of the segment before, zeros at the first.

    Args:
        backbone (dict): From downsized frames to maps of ``visual_channels``.
        audio_backbone (dict): From log-mel windows to maps of ``audio_channels``.
        visual_channels (int): Channels of the frames' maps.
        audio_channels (int): Channels of the windows' maps.
        image_size (int): Side, in pixels, to which the frames are averaged down. Defaults to 160.
        hidden_channels (int): Width of both layers of the MLP. Defaults to 2048.
        embed_dims (int): Width of the LSTM. Defaults to 256.
    """

    num_modalities = 2

    def __init__(self, *, backbone: dict, audio_backbone: dict, visual_channels: int,
                 audio_channels: int, image_size: int = 160, hidden_channels: int = 2048,
                 embed_dims: int = 256) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.audio_backbone = MODELS.build(audio_backbone)
        self.image_size = image_size
        self.mlp = nn.Sequential(
            nn.Linear(visual_channels + audio_channels, hidden_channels), nn.ReLU(),
            nn.Linear(hidden_channels, hidden_channels), nn.ReLU())
        num_logits = 2 * self.num_modalities
        self.lstm = nn.LSTMCell(hidden_channels + num_logits, embed_dims)
        self.fc = nn.Linear(embed_dims, num_logits)

    def encode(self, imgs: torch.Tensor, audios: torch.Tensor) -> torch.Tensor:
        """The joint features of each segment by itself: (B, T, hidden_channels)."""
        small = F.adaptive_avg_pool2d(imgs.flatten(0, 1), self.image_size)
        visual = self.backbone(small).mean(dim=(2, 3))
        audio = self.audio_backbone(audios.flatten(0, 1)).mean(dim=(2, 3))
        return self.mlp(torch.cat((visual, audio), dim=1)).unflatten(0, imgs.shape[:2])

    def forward(self, imgs: torch.Tensor, audios: torch.Tensor) -> torch.Tensor:
        """Read a video's segments.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W), in coarse-to-fine order.
            audios (torch.Tensor): (B, T, 1, 96, 64).

        Returns:
            torch.Tensor: (B, T, 2, 2) logits of (skip, use) for (frame, window), in the order of
            the inputs.
        """
        features = self.encode(imgs, audios)
        order = coarse_to_fine_order(imgs.shape[1])
        logits = features.new_zeros(len(features), self.fc.out_features)
        state, in_time = None, []
        # Where in the tensors the segments of times 0, 1, ... are.
        for place in sorted(range(len(order)), key=order.__getitem__):
            state = self.lstm(torch.cat((features[:, place], logits), dim=1), state)
            logits = self.fc(state[0])
            in_time.append(logits)
        return torch.stack(in_time, dim=1)[:, order].unflatten(2, (self.num_modalities, 2))
