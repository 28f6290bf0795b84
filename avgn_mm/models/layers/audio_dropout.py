"""Training without the right sound, so that a model does not lean on it. Not AVGN's: a switch."""

import math

import torch
from torch import nn

# What LogMel makes of a file without a track.
_SILENCE = math.log(0.01)


class AudioDropout(nn.Module):
    """Silence some videos of a batch, and give others the sound of another video.

    Silence is ModDrop's (Neverova et al., TPAMI 2016); it shows the model files without a track.
    Another video's sound shows it that sound and sight can disagree.

    Args:
        missing (float): Share of the videos that fall silent. Defaults to 0.
        wrong (float): Share of the videos that get another one's sound. Defaults to 0.

    Raises:
        ValueError: If these are no shares.
    """

    def __init__(self, *, missing: float = 0.0, wrong: float = 0.0) -> None:
        super().__init__()
        if min(missing, wrong) < 0 or missing + wrong > 1:
            raise ValueError('train_cfg.audio_dropout: missing and wrong must be shares of the '
                             f'videos that sum to at most 1, got {missing} and {wrong}')
        self.missing = missing
        self.wrong = wrong

    def forward(self, audios: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw what becomes of each video's sound.

        Args:
            audios (torch.Tensor): (B, T, 1, time, mel), log-mel windows as of ``LogMel``.

        Returns:
            tuple[torch.Tensor, torch.Tensor]: The windows, and whose they are, (B,): what is heard
            of them should be the class of that video.
        """
        batch_size, device = len(audios), audios.device
        videos = torch.arange(batch_size, device=device)
        draw = torch.rand(batch_size, device=device)
        # From 1 to B - 1 further on: never the video itself, unless it is alone.
        step = torch.randint(1, max(batch_size, 2), (batch_size, ), device=device)
        source = torch.where(draw < self.wrong, (videos + step) % batch_size, videos)
        silent = (draw >= self.wrong) & (draw < self.wrong + self.missing)
        return audios[source].masked_fill(silent.view(-1, 1, 1, 1, 1), _SILENCE), source
