import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from avgn_mm.datasets.transforms import AVInit, CorruptAudio, DecodeAudio, LogMel
from avgn_mm.registry import DATASETS
from tests.media import write_clip

TIMES = np.array([1.0, 0.5, 1.5])


def read(path, label=0, then=lambda results: results):
    results = AVInit()(dict(filename=str(path), label=label))
    results['video_reader'].close()
    results['frame_times'] = TIMES
    return then(DecodeAudio()(results))


def loudest_hertz(waveforms):
    return np.abs(np.fft.rfft(waveforms)).argmax(axis=1) * 16000 / waveforms.shape[1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Tones that tell the files apart; ``mute`` has no track, ``broken`` is no video."""
    path = tmp_path_factory.mktemp('sounds')
    for name, hertz in dict(first=400., alike=600., other=800., mute=None).items():
        write_clip(path / f'{name}.mov', audio=hertz, audio_codec='pcm_s16le')
    write_clip(path / 'long.mov', num_frames=40, audio_codec='pcm_s16le',
               audio=lambda t: np.where(t < 2, 0, 0.5 * np.sin(2 * np.pi * 1000 * t)))
    (path / 'broken.mov').write_bytes(b'not a video')
    (path / 'list.txt').write_text('first.mov 0\nalike.mov 0 2\nmute.mov 1\nbroken.mov 1\n'
                                   'other.mov 1 2\n')
    return path


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        yield


def wrong(folder, ann_file='list.txt', **kwargs):
    return CorruptAudio(mode='wrong', ann_file=str(folder / ann_file),
                        data_prefix=dict(video=str(folder)), **kwargs)


@pytest.mark.parametrize('snr_db', [0.0, 10.0])
def test_noise_of_the_asked_power(folder, snr_db):
    clean = read(folder / 'first.mov')['waveforms']
    noisy = read(folder / 'first.mov', then=CorruptAudio(mode='noise', snr_db=snr_db))
    assert noisy['waveforms'].dtype == np.float32 and noisy['has_audio'] is True
    noise = noisy['waveforms'] - clean
    ratio = 10 * np.log10(np.square(clean).mean() / np.square(noise).mean())
    assert ratio == pytest.approx(snr_db, abs=0.1)
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.05


def test_noise_follows_from_the_name_alone(folder, tmp_path):
    np.random.seed(0)
    corrupt = CorruptAudio(mode='noise')
    first = read(folder / 'first.mov', then=corrupt)['waveforms']
    np.testing.assert_array_equal(read(folder / 'first.mov', then=corrupt)['waveforms'], first)
    elsewhere = tmp_path / 'first.mov'
    elsewhere.write_bytes((folder / 'first.mov').read_bytes())
    np.testing.assert_array_equal(read(elsewhere, then=corrupt)['waveforms'], first)
    renamed = elsewhere.rename(tmp_path / 'renamed.mov')
    assert not np.allclose(read(renamed, then=corrupt)['waveforms'], first)


def test_missing_is_what_a_file_without_a_track_gives(folder):
    mute = read(folder / 'mute.mov', then=LogMel())
    missing = read(folder / 'first.mov', then=lambda r: LogMel()(CorruptAudio(mode='missing')(r)))
    assert missing['has_audio'] is mute['has_audio'] is False
    np.testing.assert_array_equal(missing['audios'], mute['audios'])
    np.testing.assert_array_equal(missing['waveforms'], mute['waveforms'])


@pytest.mark.parametrize('label, hertz', [
    (0, [800]), ([0], [800]), (1, [400, 600]), ([0, 2], []), ([1, 2], [400])])
def test_wrong_is_the_sound_of_another_class(folder, label, hertz):
    """Neither of a file that shares a label, nor of one without sound, nor of a broken one."""
    if isinstance(label, list):  # as a dataset with multi_class=True gives it
        label = torch.zeros(3).index_fill(0, torch.tensor(label), 1)
    if not hertz:
        with pytest.raises(ValueError, match='list.txt lists no file with sound.*first.mov'):
            read(folder / 'first.mov', label, wrong(folder))
        return
    results = read(folder / 'first.mov', label, wrong(folder))
    assert results['has_audio'] is True and results['waveforms'].shape == (3, 15600)
    heard = loudest_hertz(results['waveforms'])
    assert min(abs(heard - h).max() for h in hertz) < 2
    cached = read(folder / 'first.mov', label, wrong(folder, cache_bytes=10**8))
    np.testing.assert_array_equal(cached['waveforms'], results['waveforms'])


def test_wrong_is_taken_at_the_same_share_of_the_length(folder):
    """The frames at 1.0, 0.5 and 1.5 s of 2 s hear 2.0, 1.0 and 3.0 s of 4 s."""
    (folder / 'long.txt').write_text('long.mov 7')
    waveforms = read(folder / 'first.mov', 0, wrong(folder, 'long.txt'))['waveforms']
    loud = (np.abs(waveforms) > 0.1).mean(axis=1)
    assert loud[1] == 0 and loud[2] > 0.5
    assert np.flatnonzero(np.abs(waveforms[0]) > 0.1)[0] == pytest.approx(7800, abs=16)


@pytest.mark.parametrize('mode', ['noise', 'wrong'])
def test_a_file_without_a_track_stays_silent(folder, mode):
    corrupt = wrong(folder) if mode == 'wrong' else CorruptAudio(mode=mode)
    results = read(folder / 'mute.mov', 0, corrupt)
    assert results['has_audio'] is False and not results['waveforms'].any()


def test_in_a_dataset(folder):
    pipeline = [
        dict(type='AVInit'), dict(type='SampleFrameTimes', num_frames=4, test_mode=True),
        dict(type='DecodeAudio'),
        dict(type='CorruptAudio', mode='wrong', ann_file=str(folder / 'list.txt'),
             data_prefix=dict(video=str(folder)))]
    dataset = DATASETS.build(dict(
        type='AudioVisualDataset', ann_file=str(folder / 'list.txt'), pipeline=pipeline,
        data_prefix=dict(video=str(folder)), multi_class=True, num_classes=3, test_mode=True))
    np.testing.assert_allclose(loudest_hertz(dataset[0]['waveforms']), 800, atol=2)


def test_errors(folder):
    with pytest.raises(ValueError, match="mode must be one of .*'wrong'.*, got 'loud'"):
        CorruptAudio(mode='loud')
    with pytest.raises(ValueError, match='needs ann_file'):
        CorruptAudio(mode='wrong')
    with pytest.raises(FileNotFoundError, match='nowhere.txt'):
        wrong(folder, 'nowhere.txt')
    with pytest.raises(ValueError, match='first.mov has no label'):
        read(folder / 'first.mov', -1, wrong(folder))
