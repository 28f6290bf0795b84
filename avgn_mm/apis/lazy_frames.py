"""Frames that are decoded when a recognizer first looks at them.

A recognizer takes its frames out of a tensor (B, T, 3, H, W) by indexing. :class:`LazyFrames`
stands for that tensor: what is indexed for the first time is read from the file then, so that a
frame that is never looked at is never decoded, whatever the method.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmengine.dataset import Compose


class _KeptOpen:
    """A video reader that a decoding transform cannot close."""

    def __init__(self, reader: object) -> None:
        self.get_frames = reader.get_frames

    def close(self) -> None:
        pass


class FrameSource:
    """The frames of one video at the sampled times, decoded in any number of portions.

    Args:
        results (dict): What the pipeline knows after frame times were sampled: ``video_reader``,
            ``frame_inds`` (T,), ...
        transforms (Compose): Those that decode, resize and crop frames into ``imgs`` (n, 3, H, W).
        normalise (Callable): From uint8 frames (n, 3, H, W) to the model's.

    Attributes:
        num_frames (int): T.
        num_decoded (int): How many of them were read so far.
        decode_ms (float): Milliseconds that it took.
        results (dict): What the transforms said of the first portion: ``img_shape``, ...
    """

    def __init__(self, results: dict, transforms: Compose,
                 normalise: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.results = results
        self.num_frames = len(results['frame_inds'])
        self.num_decoded = 0
        self.decode_ms = 0.0
        self._ahead: dict[int, torch.Tensor] = {}
        self._reader = results['video_reader']
        self._given = dict(results)
        self._transforms = transforms
        self._normalise = normalise

    def prefetch(self, positions: Sequence[int]) -> None:
        """Decode frames that :meth:`load` will be asked for."""
        if positions:
            self._ahead.update(zip(positions, self._decode(positions)))

    @property
    def first(self) -> int:
        """A position that costs nothing to load, if there is one."""
        return next(iter(self._ahead), 0)

    def load(self, positions: Sequence[int]) -> torch.Tensor:
        """The frames at some of the T positions: (n, 3, H, W).

        Raises:
            MediaReadError: If one cannot be decoded.
        """
        self.prefetch([position for position in positions if position not in self._ahead])
        return torch.stack([self._ahead.pop(position) for position in positions])

    def _decode(self, positions: Sequence[int]) -> torch.Tensor:
        start = time.perf_counter()
        results = self._transforms(dict(
            self._given, video_reader=_KeptOpen(self._reader),
            frame_inds=self._given['frame_inds'][list(positions)]))
        self.num_decoded += len(positions)
        frames = self._normalise(torch.from_numpy(np.ascontiguousarray(results.pop('imgs'))))
        self.results.update({name: value for name, value in results.items()
                             if name not in ('video_reader', 'frame_inds')})
        self.decode_ms += 1e3 * (time.perf_counter() - start)
        return frames

    def close(self) -> None:
        self._reader.close()


class LazyFrames:
    """A tensor (B, T, 3, H, W) whose frames are loaded when they are first indexed.

    Indexing reaches the first two dimensions. Whatever else is asked of a tensor, such as
    ``flatten``, loads everything and is then answered by the tensor.

    Args:
        sources (Sequence[FrameSource]): Of B videos; all have T frames of one size.
    """

    def __init__(self, sources: Sequence[FrameSource]) -> None:
        self.sources = list(sources)
        shape = len(self.sources), self.sources[0].num_frames
        self._numbers = torch.arange(shape[0] * shape[1]).view(shape)
        self._loaded = torch.zeros(shape, dtype=torch.bool)
        self._buffer: torch.Tensor | None = None

    def load(self, numbers: torch.Tensor) -> None:
        """Load those frames that are not there yet.

        Args:
            numbers (torch.Tensor): Of the frames, ``video * T + position``.
        """
        missing = numbers.flatten().unique().cpu()
        missing = missing[~self._loaded.flatten()[missing]]
        num_frames = self._numbers.shape[1]
        for video in (missing // num_frames).unique().tolist():
            positions = missing[missing // num_frames == video] % num_frames
            frames = self.sources[video].load(positions.tolist())
            if self._buffer is None:
                self._buffer = frames.new_zeros(*self._numbers.shape, *frames.shape[1:])
            self._buffer[video, positions.to(frames.device)] = frames
            self._loaded[video, positions] = True

    def __getitem__(self, index: object) -> torch.Tensor:
        # The numbers of what is wanted are found by the very index that then finds the frames.
        where = tuple(i.cpu() if isinstance(i, torch.Tensor) else i
                      for i in (index if isinstance(index, tuple) else (index, )))
        self.load(self._numbers[where])
        return self._tensor()[index]

    def __len__(self) -> int:
        return len(self.sources)

    def __getattr__(self, name: str) -> object:
        if name.startswith('_'):
            raise AttributeError(name)
        if name not in ('shape', 'dtype', 'device', 'new_empty', 'new_zeros', 'new_full'):
            self.load(self._numbers)
        return getattr(self._tensor(), name)

    def _tensor(self) -> torch.Tensor:
        """The buffer; what a frame is like is known once there is one."""
        if self._buffer is None:
            self.load(self._numbers[0, self.sources[0].first])
        return self._buffer
