"""pi, the recurrent patch extraction network (AVGN section 3.2, eq. 5; after AdaFocusV2)."""

import torch
from mmengine.model import BaseModule
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from avgn_mm.registry import MODELS


@MODELS.register_module()
class PatchPolicy(BaseModule):
    """Choose a patch for each frame from the visual maps seen so far.

    1x1 conv, BN, tanh, FC, BN, tanh, GRU, FC, sigmoid.

    Args:
        in_channels (int): Channels of the maps.
        feature_size (int): H_G = W_G. Defaults to 7.
        hidden_channels (int): Channels after the 1x1 convolution. Defaults to 64.
        embed_dims (int): Width of the FC layer and of the GRU. Defaults to 512.
        num_places (int, optional): Not in the paper: choose among so many evenly spaced places a
            side, the nearest to what the sigmoid says, whose gradient the choice has
            (straight-through; Bengio et al., 2013). Where neighbours lie whole pixels apart the
            crop interpolates nothing, which would blur fine textures. The places are few, as
            AdaFocus' (ICCV 2021) are, but ordered, so no policy gradient is needed; and testing
            chooses as training does. Defaults to None: any place.

    Raises:
        ValueError: If ``num_places`` is less than 2.
    """

    def __init__(self,
                 *,
                 in_channels: int,
                 feature_size: int = 7,
                 hidden_channels: int = 64,
                 embed_dims: int = 512,
                 num_places: int | None = None) -> None:
        super().__init__()
        if num_places is not None and num_places < 2:
            raise ValueError(f'num_places={num_places}: a choice needs 2 places a side or more')
        self.num_places = num_places
        self.feature_size = feature_size
        self.embed_dims = embed_dims
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels, hidden_channels, 1, bias=False),
            nn.BatchNorm2d(hidden_channels),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(hidden_channels * feature_size**2, embed_dims),
            nn.BatchNorm1d(embed_dims),
            nn.Tanh(),
        )
        self.gru = nn.GRU(embed_dims, embed_dims, batch_first=True)
        self.coordinates = nn.Linear(embed_dims, 2)

    def forward(self, maps: torch.Tensor, lengths: list[int], memory: torch.Tensor | None = None
                ) -> tuple[torch.Tensor, torch.Tensor]:
        """Choose the patches of several videos' frames.

        Args:
            maps (torch.Tensor): (N, C, H_G, W_G), the frames of the first video in the order in
                which they are seen, then those of the second, and so on.
            lengths (list[int]): Frames of each video, at least 1; they sum to N.
            memory (torch.Tensor, optional): (videos, embed_dims), the GRU's state after earlier
                frames. Defaults to None: there were none.

        Returns:
            tuple[torch.Tensor, torch.Tensor]: The patches (N, 2) in (0, 1), order (y, x), in the
            order of ``maps``, which :func:`~avgn_mm.models.layers.patch_boxes` turns into pixels;
            and the new memory.

        Raises:
            ValueError: If the maps are not ``feature_size`` wide and high.
        """
        if maps.shape[-2:] != (self.feature_size, self.feature_size):
            raise ValueError(f'patch_policy.feature_size={self.feature_size}, but the maps of f_G '
                             f'are {maps.shape[-2]} x {maps.shape[-1]}')
        encoded = self.encoder(maps)
        memory = None if memory is None else memory[None]
        if len(set(lengths)) == 1:
            states, memory = self.gru(encoded.unflatten(0, (len(lengths), lengths[0])), memory)
            states = states.flatten(0, 1)
        else:
            packed = pack_sequence(encoded.split(lengths), enforce_sorted=False)
            states, memory = self.gru(packed, memory)
            padded, _ = pad_packed_sequence(states, batch_first=True)
            states = torch.cat([row[:n] for row, n in zip(padded, lengths)])
        places = self.coordinates(states).sigmoid()
        if self.num_places is not None:
            steps = self.num_places - 1
            nearest = (places.detach() * steps).round() / steps
            places = nearest + (places - places.detach())
        return places, memory[0]
