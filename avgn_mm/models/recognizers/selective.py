"""What recognizers that choose their own computation have in common: the rivals' base class.

A rival says how it answers (:meth:`SelectiveRecognizer.answer`), of which parts it is made
(:meth:`SelectiveRecognizer.parts`) and how it learns (``loss``). Scores, labels and the exact cost
of each video follow from that.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from mmaction.models import BaseRecognizer

from avgn_mm.evaluation.cost import count_macs


@dataclass
class Answer:
    """What was found out about a batch of B videos, and with what.

    Attributes:
        logits: (B, C).
        calls: For each video how often it used each part of :meth:`SelectiveRecognizer.parts`.
        details: Further fields of the videos' data samples, B values each. Those that metrics
            and pictures know: ``selected`` (n,), indices of the frames that were looked at
            closely, in tensor order; ``patch_boxes`` (n, 4), where, in pixels of the input;
            ``saliency`` (T,); ``frames_encoded`` by the light network; ``frames_focused`` by the
            heavy one; ``exit_step`` from 1.
    """
    logits: torch.Tensor
    calls: Sequence[Mapping[str, int]]
    details: dict[str, Sequence] = field(default_factory=dict)


class SelectiveRecognizer(BaseRecognizer):
    """Base of recognizers whose computation depends on the video or on ``test_cfg``.

    Args:
        num_frames (int): T, how many frames the pipeline gives a video.
        **kwargs: Of MMAction2's ``BaseRecognizer``: ``backbone``, ``cls_head``, ``train_cfg``,
            ``test_cfg``, ``data_preprocessor``.
    """

    uses_audio = False

    def __init__(self, *, num_frames: int, train_cfg: dict | None = None,
                 test_cfg: dict | None = None, **kwargs) -> None:
        super().__init__(train_cfg=train_cfg or {}, test_cfg=test_cfg or {}, **kwargs)
        self.num_frames = num_frames
        self._units: dict[tuple, dict[str, int]] = {}

    @abstractmethod
    def answer(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> Answer:
        """Classify a batch, computing only what each video needs.

        Args:
            imgs (torch.Tensor): (B, T, 3, H, W), normalised.
            audios (torch.Tensor, optional): (B, T, 1, 96, 64).
        """

    @abstractmethod
    def parts(self, imgs: torch.Tensor, audios: torch.Tensor | None
              ) -> dict[str, Callable[[], object]]:
        """One use of each part that costs anything, to be counted.

        Args:
            imgs (torch.Tensor): (1, T, 3, H, W), one video.
            audios (torch.Tensor, optional): (1, T, 1, 96, 64).

        Returns:
            dict[str, Callable[[], object]]: By name; the names are those of ``Answer.calls``.
        """

    def certain_frames(self) -> list[int]:
        """Positions of the frames that every prediction reads; they can be decoded in advance."""
        return []

    def unit_macs(self, imgs: torch.Tensor, audios: torch.Tensor | None) -> dict[str, int]:
        """Multiply-accumulates of one use of each part, counted once for each shape of input."""
        key = imgs.shape[1:], None if audios is None else audios.shape[1:]
        if key not in self._units:
            training = self.training
            self.eval()
            try:
                with torch.no_grad():
                    # What is in the frames makes no difference, and they may not be decoded yet.
                    parts = self.parts(imgs.new_zeros(1, *imgs.shape[1:]),
                                       None if audios is None else audios[:1])
                    self._units[key] = {name: count_macs(part) for name, part in parts.items()}
            finally:
                self.train(training)
        return self._units[key]

    def predict(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs) -> list:
        """Classify a batch; each data sample also says what was looked at and what it cost.

        Returns:
            list[ActionDataSample]: With ``pred_score``, ``pred_label``, the details of
            :class:`Answer`, and ``gmacs``, 10^9 multiply-accumulates.
        """
        imgs, audios = self.unpack(inputs)
        answer = self.answer(imgs, audios)
        units = self.unit_macs(imgs, audios)
        data_samples = self.cls_head.predict_by_feat(answer.logits.float(), data_samples)
        for i, sample in enumerate(data_samples):
            for name, values in answer.details.items():
                sample.set_field(values[i], name)
            macs = sum(units[part] * n for part, n in answer.calls[i].items())
            sample.set_field(macs / 1e9, 'gmacs')
        return data_samples

    def unpack(self, inputs: torch.Tensor | dict) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Check the pipeline's tensors and split them by modality.

        Returns:
            tuple[torch.Tensor, torch.Tensor | None]: Frames (B, T, 3, H, W) and, if the model
            ``uses_audio``, log-mel windows (B, T, 1, 96, 64).

        Raises:
            ValueError: If the pipeline gives another number of frames, or no audio.
        """
        by_name = inputs if isinstance(inputs, dict) else dict(imgs=inputs)
        tensors = [by_name['imgs'], by_name.get('audios') if self.uses_audio else None]
        if self.uses_audio and tensors[1] is None:
            raise ValueError(f"inputs lack 'audios', which {type(self).__name__} hears: add it to "
                             "PackActionInputs' collect_keys")
        for name, tensor in zip(('frames', 'audio windows'), tensors):
            if tensor is not None and tensor.shape[1] != self.num_frames:
                raise ValueError(f'the pipeline gives {tensor.shape[1]} {name} a video, the model '
                                 f'wants model.num_frames={self.num_frames}')
        return tensors[0], tensors[1]

    def budget(self, name: str, limit: int | None = None) -> int:
        """A number from ``test_cfg``, checked at each use, as it may be changed.

        Args:
            name (str): Its key; ``limit`` if it is missing or None.
            limit (int, optional): The greatest that makes sense. Defaults to None: T.

        Raises:
            ValueError: If it is not in 1..limit.
        """
        limit = limit or self.num_frames
        value = self.test_cfg.get(name)
        value = limit if value is None else value
        if not 1 <= value <= limit:
            raise ValueError(f'model.test_cfg.{name}={value} must be in 1..{limit}')
        return value

    @abstractmethod
    def loss(self, inputs: torch.Tensor | dict, data_samples: list, **kwargs
             ) -> dict[str, torch.Tensor]:
        """Losses by name, ``loss_*``."""

    def extract_feat(self, inputs: torch.Tensor | dict, **kwargs) -> tuple[torch.Tensor, dict]:
        """The logits (B, C), for MMAction2's ``mode='tensor'``; no head arguments."""
        return self.answer(*self.unpack(inputs)).logits, {}

    def _forward(self, inputs: torch.Tensor | dict, **kwargs) -> torch.Tensor:
        return self.extract_feat(inputs)[0]


def encode(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """A network's maps, averaged over space: (..., 3, H, W) -> (..., D)."""
    maps = network(images.flatten(0, -4))
    return maps.mean(dim=(2, 3)).unflatten(0, images.shape[:-3])


def take(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Entries ``index`` (B, k) of ``values`` (B, T, ...), as (B, k, ...)."""
    return values[torch.arange(len(values), device=values.device)[:, None], index]
