"""Where a talker's mouth is: where there is more motion while words are spoken than in silence.

No face detector and no hand-drawn box: the rule can be repeated on any talker.
"""

from collections.abc import Sequence

import numpy as np
from corpus import FPS, Clip, Footage
from scipy import ndimage, signal

# Shares of the picture's width.
_SMOOTHING = 0.015
_REACH = 0.07  # how far a clip's mouth may be from where it is on average
_ROUNDS = 4


def motion_map(clip: Clip, footage: Footage) -> np.ndarray:
    """How much more a clip moves in speech, from the first to the last word, than in silence.

    Returns:
        np.ndarray: (H, W), of mean absolute differences of successive frames, smoothed.
    """
    grey = footage.frames[..., 1].astype(np.int16)  # green is the better part of luma
    times = np.arange(1, len(grey)) / FPS
    spoken = (clip.words[0].start <= times) & (times < clip.words[-1].end)
    changes = np.abs(np.diff(grey, axis=0))
    change = changes[spoken].mean(axis=0)
    if not spoken.all():
        change = change - changes[~spoken].mean(axis=0)
    return ndimage.gaussian_filter(change, _SMOOTHING * grey.shape[2])


class MouthFinder:
    """Learns the mouth's box from clips, and finds it in these and others.

    The maps of all clips are averaged; the box is the bounding box of the region around the mean's
    peak in which it is above half of the peak. The head is not always at one place, so each map is
    shifted to where it fits the mean best, and the mean is taken anew, a few times.

    Args:
        maps (Sequence[np.ndarray]): (H, W) of :func:`motion_map`, of the training clips.
    """

    def __init__(self, maps: Sequence[np.ndarray]) -> None:
        self._reach = round(_REACH * maps[0].shape[1])
        self._set_mean(np.mean(maps, axis=0))
        for _ in range(_ROUNDS):
            self._set_mean(np.mean([ndimage.shift(motion, [-y, -x], order=0, mode='nearest')
                                    for motion in maps
                                    for x, y in [self._offset(motion)]], axis=0))

    def _set_mean(self, mean: np.ndarray) -> None:
        peak = np.unravel_index(mean.argmax(), mean.shape)
        regions, _ = ndimage.label(mean > mean[peak] / 2)
        self._rows, self._columns = ndimage.find_objects(regions)[regions[peak] - 1]
        self._pattern = mean[self._rows, self._columns]

    def _offset(self, motion: np.ndarray) -> tuple[int, int]:
        """(x, y) from the mean place of the mouth to where the motion is most like the mean."""
        height, width = motion.shape
        top = max(0, self._rows.start - self._reach)
        left = max(0, self._columns.start - self._reach)
        near = motion[top:min(height, self._rows.stop + self._reach),
                      left:min(width, self._columns.stop + self._reach)]
        fit = signal.correlate(near, self._pattern, mode='valid', method='fft')
        y, x = np.unravel_index(fit.argmax(), fit.shape)
        return int(x) + left - self._columns.start, int(y) + top - self._rows.start

    def find(self, motion: np.ndarray) -> tuple[int, int, int, int]:
        """The box x1, y1, x2, y2 in pixels of a map."""
        x, y = self._offset(motion)
        return (self._columns.start + x, self._rows.start + y,
                self._columns.stop + x, self._rows.stop + y)
