"""Sound around each frame: windows, log-mel spectrograms, masking (AVGN, section 4.1).

The spectrogram is VGGish's (Hershey et al., ICASSP 2017): 16 kHz, windows of 25 ms every 10 ms, 64
HTK mel bands over 125 to 7500 Hz of the *magnitude* spectrum, log(mel + 0.01). One deviation: the
bands are triangles over Hz, as in torchaudio and librosa; VGGish's are triangles over mel.
"""

import functools
import math

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from avgn_mm.registry import TRANSFORMS

from .audio_reader import AudioReader

_SAMPLE_RATE = 16000
_WINDOW, _HOP, _FFT = 400, 160, 512
_NUM_MELS, _MIN_HZ, _MAX_HZ = 64, 125.0, 7500.0
_LOG_OFFSET = 0.01


@TRANSFORMS.register_module()
class DecodeAudio(BaseTransform):
    """Decode the sound around each frame by seeking, and close the file.

    The window of frame t is ``[frame_times[t] - window_seconds / 2, ... + window_seconds / 2)``.
    What lies outside of the audio track is silence, and so is a file without one.

    Required Keys:

        - filename, frame_times, has_audio, audio_reader

    Added Keys:

        - waveforms (np.ndarray): (T, sample_rate * window_seconds) float32, mono

    Args:
        sample_rate (int): In Hz. Defaults to 16000.
        window_seconds (float): Defaults to 0.975, which holds the 96 windows of 25 ms every 10 ms
            that make 0.96 s.
    """

    def __init__(self, *, sample_rate: int = _SAMPLE_RATE, window_seconds: float = 0.975) -> None:
        self.sample_rate = sample_rate
        self.window_seconds = window_seconds
        self.num_samples = round(sample_rate * window_seconds)
        if sample_rate < 1 or self.num_samples < 1:
            raise ValueError(f'a window of {window_seconds} s at {sample_rate} Hz holds no sample')

    def transform(self, results: dict) -> dict:
        """Decode the windows around ``results['frame_times']``."""
        times = np.asarray(results['frame_times'])
        reader = results.pop('audio_reader', None)
        if not results['has_audio']:
            results['waveforms'] = np.zeros((len(times), self.num_samples), dtype=np.float32)
            return results
        if reader.sample_rate != self.sample_rate:
            reader = AudioReader(results['filename'], sample_rate=self.sample_rate)
        starts = np.rint(times * self.sample_rate - self.num_samples / 2).astype(np.int64)
        try:
            results['waveforms'] = reader.read_windows(starts, self.num_samples)
        finally:
            reader.close()
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(sample_rate={self.sample_rate}, '
                f'window_seconds={self.window_seconds})')


@TRANSFORMS.register_module()
class LogMel(BaseTransform):
    """Turn windows of 16 kHz sound into log-mel spectrograms.

    Required Keys:

        - waveforms: (T, n) float32 at 16 kHz

    Added Keys:

        - audios (np.ndarray): (T, 1, 1 + (n - 400) // 160, 64) float32; 96 x 64 for n = 15600
    """

    def transform(self, results: dict) -> dict:
        """Compute the spectrograms of all T windows at once."""
        waveforms = torch.from_numpy(results['waveforms'])
        mel = _mel_spectrogram()(waveforms).transpose(1, 2)
        results['audios'] = torch.log(mel + _LOG_OFFSET).unsqueeze(1).contiguous().numpy()
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'


@functools.cache
def _mel_spectrogram() -> torch.nn.Module:
    """torchaudio's (T, n) -> (T, 64, frames), built at the first use.

    Raises:
        ImportError: If torchaudio is absent or was built for another torch.
    """
    try:
        from torchaudio.transforms import MelSpectrogram
    except (ImportError, OSError) as error:  # OSError: a CUDA library that this torch lacks
        raise ImportError(
            f'torchaudio cannot be imported next to torch {torch.__version__}: {error}. Install a '
            'matching pair: pip install torch==2.11.0 torchaudio==2.11.0 torchvision==0.26.0'
        ) from error
    return MelSpectrogram(
        sample_rate=_SAMPLE_RATE,
        n_fft=_FFT,
        win_length=_WINDOW,
        hop_length=_HOP,
        # torch centres a window in its FFT frame: this shifts the first one back onto sample 0
        pad=(_FFT - _WINDOW) // 2,
        f_min=_MIN_HZ,
        f_max=_MAX_HZ,
        n_mels=_NUM_MELS,
        power=1.0,
        center=False,
        norm=None,
        mel_scale='htk')


@TRANSFORMS.register_module()
class MaskSpectrogram(BaseTransform):
    """Silence random bands and random stretches of each spectrogram.

    SpecAugment (Park et al., Interspeech 2019) without time warping, and with silence in place of
    the mean, since that is what the model sees where a video has no sound. A mask's width is
    uniform from 0 to the given maximum. Draws come from NumPy's global generator, which MMEngine
    seeds in each worker.

    Required and Modified Keys:

        - audios: (T, 1, frames, bands) float32

    Args:
        num_freq_masks (int): Defaults to 2.
        max_freq_width (int): In bands. Defaults to 12.
        num_time_masks (int): Defaults to 2.
        max_time_width (int): In spectrogram frames. Defaults to 18.
    """

    silence = math.log(_LOG_OFFSET)

    def __init__(self,
                 *,
                 num_freq_masks: int = 2,
                 max_freq_width: int = 12,
                 num_time_masks: int = 2,
                 max_time_width: int = 18) -> None:
        sizes = (num_freq_masks, max_freq_width, num_time_masks, max_time_width)
        if min(sizes) < 0:
            raise ValueError(f'numbers and widths of masks cannot be negative, got {sizes}')
        self.num_freq_masks = num_freq_masks
        self.max_freq_width = max_freq_width
        self.num_time_masks = num_time_masks
        self.max_time_width = max_time_width

    def transform(self, results: dict) -> dict:
        """Mask each of the T spectrograms on its own."""
        audios = results['audios']
        num, _, frames, bands = audios.shape
        hide = (_draw_masks(num, frames, self.num_time_masks, self.max_time_width)[:, :, None]
                | _draw_masks(num, bands, self.num_freq_masks, self.max_freq_width)[:, None, :])
        results['audios'] = np.where(hide[:, None], np.float32(self.silence), audios)
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(num_freq_masks={self.num_freq_masks}, '
                f'max_freq_width={self.max_freq_width}, num_time_masks={self.num_time_masks}, '
                f'max_time_width={self.max_time_width})')


def _draw_masks(num: int, size: int, num_masks: int, max_width: int) -> np.ndarray:
    """Draw the union of ``num_masks`` random stretches of ``size`` cells: (num, size) bool."""
    widths = np.random.randint(0, min(max_width, size) + 1, (num, num_masks, 1))
    starts = np.floor(np.random.random_sample(widths.shape) * (size - widths + 1))
    cells = np.arange(size)
    return ((cells >= starts) & (cells < starts + widths)).any(axis=1)
