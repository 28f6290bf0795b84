import sys

import numpy as np
import pytest

from avgn_mm.datasets.transforms import AVInit, DecodeAudio, LogMel, MaskSpectrogram
from avgn_mm.datasets.transforms import audio as audio_module
from tests.media import tone, write_clip

SILENCE = np.float32(np.log(0.01))


def decode(path, times, **kwargs):
    results = AVInit()(dict(filename=path))
    results['frame_times'] = np.asarray(times)
    return DecodeAudio(**kwargs)(results)


def test_windows_are_centred_on_the_frames(tmp_path):
    path = write_clip(
        tmp_path / 'clip.mp4', num_frames=60, audio=tone(440, start=3.0), audio_rate=44100)
    windows = decode(path, [3.0, 2.8, 1.0])['waveforms']
    assert windows.shape == (3, 15600) and windows.dtype == np.float32
    first = [np.flatnonzero(np.abs(window) > 0.1)[0] for window in windows[:2]]
    # the sound starts 0.4875 s and 0.6875 s after the windows do
    np.testing.assert_allclose(first, [7800, 11000], atol=48)
    assert np.abs(windows[2]).max() < 0.05


def test_other_rates_and_lengths(tmp_path):
    path = write_clip(tmp_path / 'clip.mp4', audio=440., audio_rate=48000)
    windows = decode(path, [1.0], sample_rate=8000, window_seconds=0.5)['waveforms']
    assert windows.shape == (1, 4000)
    assert np.abs(np.fft.rfft(windows[0])).argmax() == 220
    with pytest.raises(ValueError, match='0.0 s at 16000 Hz'):
        DecodeAudio(window_seconds=0.0)


def test_no_audio_track_is_silence(tmp_path):
    results = decode(write_clip(tmp_path / 'mute.mp4'), [0.3, 1.0])
    assert results['has_audio'] is False
    assert results['waveforms'].shape == (2, 15600) and not results['waveforms'].any()
    audios = LogMel()(results)['audios']
    assert audios.shape == (2, 1, 96, 64) and (audios == SILENCE).all()


def test_logmel_is_librosas():
    librosa_filters = pytest.importorskip('librosa').filters
    waveforms = np.random.RandomState(0).uniform(-1, 1, (3, 15600)).astype(np.float32)
    waveforms[1] *= 1e-3
    audios = LogMel()(dict(waveforms=waveforms))['audios']
    assert audios.shape == (3, 1, 96, 64) and audios.dtype == np.float32

    window = librosa_filters.get_window('hann', 400, fftbins=True)
    mel = librosa_filters.mel(
        sr=16000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    frames = np.lib.stride_tricks.sliding_window_view(waveforms, 400, axis=1)[:, ::160]
    magnitude = np.abs(np.fft.rfft(frames * window, 512))
    np.testing.assert_allclose(
        audios[:, 0], np.log(magnitude @ mel.T + 0.01), rtol=1e-4, atol=1e-4)


def test_logmel_of_a_tone():
    # HTK mel(1000 Hz) = 1000, and the 66 edges lie every (2787.8 - 185.2) / 65 = 40.0 mel: the
    # centre of band 19 stands at 185.2 + 20 * 40.0 = 986, that of band 20 at 1026
    seconds = np.arange(15600) / 16000
    waveforms = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)[None]
    audios = LogMel()(dict(waveforms=waveforms))['audios'][0, 0]
    assert (audios.argmax(axis=1) == 19).all()


def test_a_missing_torchaudio_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchaudio.transforms', None)
    audio_module._mel_spectrogram.cache_clear()
    with pytest.raises(ImportError, match=r'pip install torch==\S+ torchaudio=='):
        LogMel()(dict(waveforms=np.zeros((1, 15600), dtype=np.float32)))


def test_masks():
    np.random.seed(0)
    audios = np.ones((400, 1, 96, 64), dtype=np.float32)
    masked = MaskSpectrogram(num_time_masks=0)(dict(audios=audios))['audios']
    assert masked.shape == audios.shape and masked.dtype == np.float32
    assert set(np.unique(masked)) == {SILENCE, np.float32(1)}
    hidden = (masked[:, 0] == SILENCE)
    assert (hidden.all(axis=1) == hidden.any(axis=1)).all()  # whole bands
    widths = hidden.any(axis=1).sum(axis=1)
    assert widths.max() > 20 and widths.max() <= 24 and widths.min() <= 1
    # two masks of 0 to 12 bands, now and then overlapping
    assert 9 < widths.mean() < 12
    assert hidden.any(axis=1).any(axis=0).all()  # every band can be hit

    hidden = MaskSpectrogram(num_freq_masks=0, num_time_masks=1)(dict(audios=audios))['audios'] < 0
    assert hidden.any(axis=(1, 3)).sum(axis=1).max() == 18
    assert (audios == 1).all()


def test_masks_follow_numpys_seed_and_can_be_off():
    audios = np.random.RandomState(0).randn(2, 1, 96, 64).astype(np.float32)
    draws = []
    for _ in range(2):
        np.random.seed(3)
        draws.append(MaskSpectrogram()(dict(audios=audios))['audios'])
    np.testing.assert_array_equal(*draws)
    off = MaskSpectrogram(num_freq_masks=0, num_time_masks=0)
    np.testing.assert_array_equal(off(dict(audios=audios))['audios'], audios)
    wide = MaskSpectrogram(max_freq_width=999, max_time_width=999)
    assert wide(dict(audios=audios))['audios'].shape == audios.shape
    with pytest.raises(ValueError, match='-1'):
        MaskSpectrogram(max_time_width=-1)
