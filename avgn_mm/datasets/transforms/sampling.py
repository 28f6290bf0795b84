"""Sample T frame times from a video: one of each of T equal bins (AVGN, section 4.1)."""

import numpy as np
from mmcv.transforms import BaseTransform

from avgn_mm.frame_order import coarse_to_fine_order
from avgn_mm.registry import TRANSFORMS

_SAMPLINGS = ('centre', 'cheapest')
_ORDERS = ('coarse_to_fine', 'time')


@TRANSFORMS.register_module()
class SampleFrameTimes(BaseTransform):
    """Choose one frame of each of T equal bins: any in training, the central one at test.

    A video of fewer than T frames gives some of them more than once.

    Required Keys:

        - total_frames, video_reader

    Added Keys:

        - frame_inds (np.ndarray): (T,) int64
        - frame_times (np.ndarray): (T,) float64 seconds on the container's clock: where a frame's
          presentation starts

    Args:
        num_frames (int): T.
        test_mode (bool): Take the bins' centres, or what ``sampling`` says. Defaults to False.
        sampling (str): In test mode: 'centre', or 'cheapest' for the frame that costs least to
            decode, a keyframe where the bin holds one, else its first frame; the one nearest to
            the centre where several cost alike. Defaults to 'centre'.
        order (str): 'coarse_to_fine' (what the recognizers expect) or 'time'. Defaults to
            'coarse_to_fine'.
    """

    def __init__(self,
                 *,
                 num_frames: int,
                 test_mode: bool = False,
                 sampling: str = 'centre',
                 order: str = 'coarse_to_fine') -> None:
        if num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {num_frames}')
        if sampling not in _SAMPLINGS:
            raise ValueError(f'sampling must be one of {_SAMPLINGS}, got {sampling!r}')
        if order not in _ORDERS:
            raise ValueError(f'order must be one of {_ORDERS}, got {order!r}')
        self.num_frames = num_frames
        self.test_mode = test_mode
        self.sampling = sampling
        self.order = order
        self._order = (
            np.asarray(coarse_to_fine_order(num_frames))
            if order == 'coarse_to_fine' else np.arange(num_frames))

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        total = results['total_frames']
        within = 0.5 if self.test_mode else np.random.random_sample(self.num_frames)
        inds = (total / self.num_frames * (np.arange(self.num_frames) + within)).astype(np.int64)
        # rounding can push the end of the last bin onto `total`
        inds = np.minimum(inds, total - 1)
        if self.test_mode and self.sampling == 'cheapest':
            inds = self._cheapest(inds, results['video_reader'].decode_costs)
        inds = inds[self._order]
        results['frame_inds'] = inds
        results['frame_times'] = results['video_reader'].times[inds]
        return results

    def _cheapest(self, centres: np.ndarray, costs: np.ndarray) -> np.ndarray:
        """For each bin the frame of the least cost."""
        total = len(costs)
        edges = total * np.arange(self.num_frames + 1) // self.num_frames
        chosen = []
        for centre, start, end in zip(centres, edges, edges[1:]):
            inds = np.arange(start, max(end, start + 1))  # a bin of less than a frame holds one
            far = np.abs(inds - centre)
            chosen.append(inds[np.lexsort((far, costs[inds]))[0]])
        return np.asarray(chosen)

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(num_frames={self.num_frames}, '
                f'test_mode={self.test_mode}, sampling={self.sampling!r}, order={self.order!r})')
