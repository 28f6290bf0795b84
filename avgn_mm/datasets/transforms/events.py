"""Frames and patches from where the ground truth says that something happens.

They give an encoder of patches a start, as ImageNet's centred objects give one to the networks of
papers; no recognizer sees them at test.
"""

import numpy as np

from avgn_mm.evaluation.metrics.patch_metric import centre_at
from avgn_mm.registry import TRANSFORMS

from .decoding import DecodeFrames


@TRANSFORMS.register_module()
class DecodeEventPatches(DecodeFrames):
    """Decode frames and cut a patch out of each, many of them at a known event.

    In training each sampled frame gives way, with probability ``share``, to any frame of a
    visible event, seen at the event's place; the others are seen at any place. In test mode all
    frames stay, each seen at the place of the visible event that is nearest in time: what a model
    that knows where, but not when, can tell.

    Required Keys:

        - video_reader, frame_inds
        - events: as of :class:`~avgn_mm.datasets.GlanceBenchDataset`

    Added Keys: those of :class:`DecodeFrames`, of images of PxP.

    Modified Keys:

        - frame_inds, frame_times: (T,) of the frames that were decoded

    Args:
        patch_size (int): P, in pixels of the video.
        share (float): Part of the training frames that show an event. Defaults to 0.5.
        jitter (int): How far a patch may be from an event's place along each axis, in pixels, in
            training. Defaults to 0.
        test_mode (bool): Defaults to False.

    Raises:
        ValueError: If ``share`` is not a probability, a size is not positive, or a frame is
            smaller than the patch.
    """

    def __init__(self, *, patch_size: int, share: float = 0.5, jitter: int = 0,
                 test_mode: bool = False) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f'share must be from 0 to 1, got {share}')
        if patch_size < 1 or jitter < 0:
            raise ValueError('patch_size must be positive and jitter not negative, got '
                             f'{patch_size} and {jitter}')
        self.patch_size = patch_size
        self.share = share
        self.jitter = jitter
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Choose frames, decode them, and cut."""
        events = [event for event in results['events'] if event['visible']]
        times = results['video_reader'].times
        inds = np.array(results['frame_inds'])
        at_event: list[dict | None] = [None] * len(inds)
        if events and self.test_mode:
            at_event = [min(events, key=lambda event: _distance(event, times[i])) for i in inds]
        elif events:
            for n in np.flatnonzero(np.random.random_sample(len(inds)) < self.share):
                event = events[np.random.randint(len(events))]
                within = np.flatnonzero((times >= event['start_seconds'])
                                        & (times < event['end_seconds']))
                if len(within):  # an event between two frames is on none
                    inds[n], at_event[n] = np.random.choice(within), event
        results['frame_inds'], results['frame_times'] = inds, times[inds]
        results = super().transform(results)
        height, width = results['img_shape']
        if min(height, width) < self.patch_size:
            raise ValueError(f'{results.get("filename")}: frames of {width}x{height} are smaller '
                             f'than patch_size={self.patch_size}')
        results['imgs'] = [
            self._cut(image, event, time)
            for image, event, time in zip(results['imgs'], at_event, results['frame_times'])]
        results['img_shape'] = (self.patch_size, self.patch_size)
        return results

    def _cut(self, image: np.ndarray, event: dict | None, time: float) -> np.ndarray:
        room = np.array(image.shape[:2]) - self.patch_size
        if event is None:
            corner = np.random.randint(room + 1)
        else:
            time = np.clip(time, event['start_seconds'], event['end_seconds'])
            middle = centre_at(event, time)[::-1] * image.shape[:2] - self.patch_size / 2
            if not self.test_mode:
                middle = middle + np.random.randint(-self.jitter, self.jitter + 1, size=2)
            corner = np.clip(np.round(middle).astype(int), 0, room)
        y, x = corner
        return image[y:y + self.patch_size, x:x + self.patch_size]

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(patch_size={self.patch_size}, share={self.share}, '
                f'jitter={self.jitter}, test_mode={self.test_mode})')


def _distance(event: dict, time: float) -> float:
    """Seconds from a moment to an event."""
    return max(event['start_seconds'] - time, time - event['end_seconds'], 0.0)
