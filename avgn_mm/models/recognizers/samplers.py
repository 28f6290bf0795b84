"""Reference samplers: a heavy network on k of T frames, the mean of its logits (TSN, ECCV 2016).

They differ in which k frames they take: ``Uniform`` those evenly spaced in time, ``Random`` any,
``SCSampler`` (in ``scsampler.py``) those that light networks find salient. k is
``test_cfg.num_focus`` and can be changed without touching the pipeline.

With ``audio_backbone``, ``Uniform`` and ``Random`` fuse late: the audio windows of the chosen
frames are classified too, each modality learns from its own loss, and the video's logits are the
mean of both modalities'. Neither is from a paper; TSN's segments are the bins of ``Uniform``.
"""

import zlib
from abc import abstractmethod

import torch

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import MODELS

from .selective import Answer, SelectiveRecognizer, encode, take


def uniform_times(num_frames: int, num_focus: int) -> torch.Tensor:
    """The central one of T frames in each of k equal bins: (k,) distinct indices in time."""
    # In integers: (i + 1/2) T / k, rounded down.
    return (2 * torch.arange(num_focus) + 1) * num_frames // (2 * num_focus)


def content_seed(frames: torch.Tensor) -> int:
    """A seed from what a video (T, 3, H, W) shows: the checksum of the frame that stands first."""
    return zlib.crc32(frames[0].float().cpu().contiguous().numpy().tobytes())


class FrameSampler(SelectiveRecognizer):
    """Base of the samplers: the heavy network, and an audio network beside it.

    Args:
        num_frames (int): T.
        backbone (dict): The heavy network, from frames to maps.
        cls_head (dict): Its ``FrameHead``.
        audio_backbone (dict, optional): From log-mel windows to maps. Defaults to None: no sound.
        audio_head (dict, optional): Its ``FrameHead``.
        train_cfg (dict): ``num_focus``: how many frames of a video the heavy network learns from.
            As many as at test by default.
        test_cfg (dict): ``num_focus``: k. T by default.
        data_preprocessor (dict): ``MultiModalDataPreprocessor``, or ``ActionDataPreprocessor``
            where the pipeline gives frames only.

    Raises:
        ValueError: If an audio network lacks its head, or a ``num_focus`` is not in 1..T.
    """

    def __init__(self, *, num_frames: int, backbone: dict, cls_head: dict,
                 audio_backbone: dict | None = None, audio_head: dict | None = None,
                 **kwargs) -> None:
        if (audio_backbone is None) != (audio_head is None):
            raise ValueError('model.audio_backbone and model.audio_head need each other: set both '
                             'or neither')
        super().__init__(num_frames=num_frames, backbone=backbone, cls_head=cls_head, **kwargs)
        self.uses_audio = audio_backbone is not None
        self.audio_backbone = self.audio_head = None
        if self.uses_audio:
            self.audio_backbone = MODELS.build(audio_backbone)
            self.audio_head = MODELS.build(audio_head)
        self.budget('num_focus')
        value = self.train_cfg.get('num_focus')
        if value is not None and not 1 <= value <= num_frames:
            raise ValueError(f'model.train_cfg.num_focus={value} must be in 1..{num_frames}')

    @property
    def num_focus(self) -> int:
        """k, or how many frames the heavy network learns from while training."""
        in_training = self.train_cfg.get('num_focus') if self.training else None
        return in_training or self.budget('num_focus')

    @abstractmethod
    def choose(self, imgs: torch.Tensor, audios: torch.Tensor | None
               ) -> tuple[torch.Tensor, dict]:
        """Indices (B, k) of the frames to look at, and details for :class:`Answer`."""

    def uses(self, num_focus: int) -> dict[str, int]:
        """How often a video uses each part, where k frames are looked at."""
        return dict.fromkeys(('heavy', 'audio') if self.uses_audio else ('heavy', ), num_focus)

    def classify(self, imgs: torch.Tensor) -> torch.Tensor:
        """The heavy network's logits of each frame: (B, n, 3, H, W) -> (B, n, C)."""
        return self.cls_head(encode(self.backbone, imgs))

    def classify_audio(self, audios: torch.Tensor) -> torch.Tensor:
        """The audio network's logits of each window: (B, n, 1, 96, 64) -> (B, n, C)."""
        return self.audio_head(encode(self.audio_backbone, audios))

    def look(self, imgs: torch.Tensor, audios: torch.Tensor | None, selected: torch.Tensor
             ) -> dict[str, torch.Tensor]:
        """Each modality's logits (B, C) by the name of its loss, the mean over chosen frames."""
        logits = dict(loss_cls=self.classify(take(imgs, selected)).mean(dim=1))
        if self.uses_audio:
            logits['loss_audio'] = self.classify_audio(take(audios, selected)).mean(dim=1)
        return logits

    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> Answer:
        selected, details = self.choose(imgs, audios)
        logits = torch.stack([*self.look(imgs, audios, selected).values()]).mean(dim=0)
        batch_size, num_focus = selected.shape
        uses = self.uses(num_focus)
        return Answer(logits, [uses] * batch_size, dict(
            selected=selected, frames_encoded=[uses.get('light', 0)] * batch_size,
            frames_focused=[num_focus] * batch_size, **details))

    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict:
        parts = dict(heavy=lambda: self.classify(imgs[:, :1]))
        if self.uses_audio:
            parts['audio'] = lambda: self.classify_audio(audios[:, :1])
        return parts

    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Cross-entropy of each modality's mean logits, as TSN's consensus."""
        imgs, audios = self.unpack(inputs)
        labels = self.cls_head.gather_labels(data_samples).to(imgs.device)
        logits = self.look(imgs, audios, self.choose(imgs, audios)[0])
        losses = {name: self.cls_head.cross_entropy(each[:, None], labels)
                  for name, each in logits.items()}
        if labels.dim() == 1:
            hits = torch.stack([*logits.values()]).mean(dim=0).argmax(dim=-1) == labels
            losses['top1_acc'] = hits.float().mean()
        return losses


def random_frames(imgs: torch.Tensor, num_focus: int) -> torch.Tensor:
    """Distinct frames of each video, drawn for training: (B, k)."""
    return torch.rand(imgs.shape[:2], device=imgs.device).argsort(dim=1)[:, :num_focus]


@MODELS.register_module()
class Uniform(FrameSampler):
    """k frames evenly spaced in time: of T, the central one of each of k bins.

    In training any frame of each bin, as TSN does; where k does not divide T a frame that two
    bins share may come twice then. Arguments are those of :class:`FrameSampler`.
    """

    def __init__(self, *, num_frames: int, **kwargs) -> None:
        super().__init__(num_frames=num_frames, **kwargs)
        # Where in the tensors the frame of each time is.
        places = torch.tensor(coarse_to_fine_order(num_frames)).argsort()
        self.register_buffer('places', places, persistent=False)

    def certain_frames(self) -> list[int]:
        """All that are chosen."""
        return self.places[uniform_times(self.num_frames, self.budget('num_focus'))].tolist()

    def choose(self, imgs: torch.Tensor, audios: torch.Tensor | None
               ) -> tuple[torch.Tensor, dict]:
        batch_size, num_focus = len(imgs), self.num_focus
        if not self.training:
            times = uniform_times(self.num_frames, num_focus).expand(batch_size, -1)
        else:
            within = torch.arange(num_focus) + torch.rand(batch_size, num_focus)
            # Rounding can push the end of the last bin onto T.
            times = (within * self.num_frames / num_focus).long().clamp(max=self.num_frames - 1)
        return self.places[times.to(self.places.device)], {}


@MODELS.register_module()
class Random(FrameSampler):
    """k distinct frames at random.

    At test the draw is a video's own: its generator is seeded with the checksum of the
    preprocessed frame that stands first in the tensor. The same video gets the same frames in
    whatever batch, order, process or folder, and a greater k keeps those of a smaller one.
    Arguments are those of :class:`FrameSampler`.
    """

    def choose(self, imgs: torch.Tensor, audios: torch.Tensor | None
               ) -> tuple[torch.Tensor, dict]:
        if self.training:
            return random_frames(imgs, self.num_focus), {}
        drawn = [torch.randperm(self.num_frames,
                                generator=torch.Generator().manual_seed(content_seed(frames)))
                 for frames in imgs[:, :1]]
        return torch.stack(drawn)[:, :self.num_focus].to(imgs.device), {}
