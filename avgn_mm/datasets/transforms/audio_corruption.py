"""What a video's sound becomes when the microphone fails: to test how much a model trusts it."""

import os.path as osp
import zlib
from collections.abc import Iterator

import numpy as np
from mmcv.transforms import BaseTransform

from avgn_mm.registry import DATASETS, TRANSFORMS

from .audio import DecodeAudio
from .decoding import AVInit
from .video_reader import MediaReadError

_MODES = ('noise', 'missing', 'wrong')
_SAMPLE_RATE = 16000  # what LogMel reads
_ANY_LABEL = 2**31


@TRANSFORMS.register_module()
class CorruptAudio(BaseTransform):
    """Add noise to the sound, take it away, or put another video's in its place.

    It stands right after ``DecodeAudio``. What is drawn follows from the file's name alone, so
    that every test of a file hears the same. A file without a track stays as it is.

    Required Keys:

        - filename, waveforms, has_audio
        - frame_times, duration_seconds, label (mode 'wrong')

    Modified Keys:

        - waveforms: (T, n) float32 at 16 kHz
        - has_audio: False in the mode 'missing'

    Args:
        mode (str): 'noise': white noise, drawn for each window by itself; 'missing': silence, as
            of a file without a track; 'wrong': the sound of a file with other labels, at the
            same share of its length as each frame's of its video.
        snr_db (float): Power of the file's windows over that of the noise. Defaults to 0.
        ann_file (str, optional): List of the files whose sound is taken in the mode 'wrong', as of
            ``AudioVisualDataset``. Files without a track, or unreadable ones, give none.
        data_prefix (dict, optional): ``video``: the folder of these files.
        cache_bytes (int): As of ``AVInit``, for these files. Defaults to 0.

    Raises:
        ValueError: If the mode is unknown, 'wrong' lacks its list, or no file of the list has
            sound and other labels.
    """

    def __init__(self, *, mode: str, snr_db: float = 0.0, ann_file: str | None = None,
                 data_prefix: dict | None = None, cache_bytes: int = 0) -> None:
        if mode not in _MODES:
            raise ValueError(f'mode must be one of {_MODES}, got {mode!r}')
        if mode == 'wrong' and ann_file is None:
            raise ValueError("mode='wrong' needs ann_file, the list of the files to take the "
                             "sound from, and their folder, data_prefix['video']")
        self.mode = mode
        self.snr_db = snr_db
        self.ann_file = ann_file
        if mode == 'wrong':
            # Registered later than the transforms, which its module imports.
            files = DATASETS.build(dict(
                type='AudioVisualDataset', ann_file=ann_file, data_prefix=data_prefix or {},
                pipeline=[], multi_class=True, num_classes=_ANY_LABEL, lazy_init=True))
            self._files = [(item['filename'], {*item['label']}) for item in files.load_data_list()]
            self._open = AVInit(cache_bytes=cache_bytes)

    def transform(self, results: dict) -> dict:
        """Corrupt ``results['waveforms']``."""
        if not results['has_audio']:
            return results
        if self.mode == 'noise':
            results['waveforms'] = self._add_noise(results)
        elif self.mode == 'missing':
            results['waveforms'] = np.zeros_like(results['waveforms'])
            results['has_audio'] = False
        else:
            results['waveforms'] = self._other_sound(results)
        return results

    def _add_noise(self, results: dict) -> np.ndarray:
        waveforms = results['waveforms']
        power = np.square(waveforms, dtype=np.float64).mean() / 10**(self.snr_db / 10)
        noise = np.random.default_rng(_hash(results)).standard_normal(
            waveforms.shape, dtype=np.float32)
        return waveforms + np.float32(np.sqrt(power)) * noise

    def _other_sound(self, results: dict) -> np.ndarray:
        share = np.asarray(results['frame_times']) / max(results['duration_seconds'], 1e-6)
        num_samples = results['waveforms'].shape[1]
        decode = DecodeAudio(sample_rate=_SAMPLE_RATE, window_seconds=num_samples / _SAMPLE_RATE)
        for filename in self._others(results):
            try:
                other = self._open(dict(filename=filename))
                other['video_reader'].close()
                if other['has_audio']:
                    other['frame_times'] = share * other['duration_seconds']
                    return decode(other)['waveforms']
            except MediaReadError:
                continue
        raise ValueError(f'{self.ann_file} lists no file with sound whose labels differ from those '
                         f'of {results["filename"]}')

    def _others(self, results: dict) -> Iterator[str]:
        """Files with other labels, from one on that the name settles."""
        label = np.asarray(results['label'])
        labels = {*label.nonzero()[0].tolist()} if label.ndim else {int(label)}
        if labels == {-1}:
            raise ValueError(f'{results["filename"]} has no label, which mode=\'wrong\' needs to '
                             'find the sound of another class')
        others = [name for name, theirs in self._files if not labels & theirs]
        for i in range(len(others)):
            yield others[(_hash(results) + i) % len(others)]

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(mode={self.mode!r}, snr_db={self.snr_db}, '
                f'ann_file={self.ann_file!r})')


def _hash(results: dict) -> int:
    """The same for a file's name wherever it lies."""
    return zlib.crc32(osp.basename(str(results['filename'])).encode())
