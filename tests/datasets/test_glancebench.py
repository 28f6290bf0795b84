"""GlanceBench: what is stated is what the decoded files show."""

import dataclasses
import json
import os
import runpy
import sys

import av
import numpy as np
import pytest

from avgn_mm.datasets import glancebench
from avgn_mm.datasets import glancebench_render as render
from avgn_mm.datasets.glancebench import SPECS, GlanceBenchSpec, generate, plan_video
from avgn_mm.registry import DATASETS

TINY = dataclasses.replace(SPECS['mini'], num_train=12, num_val=2, num_test=3, no_audio_rate=0.3,
                           sound_snr_db=(20, 20), num_distractor_sounds=(0, 0))


def decode(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.stack(frames), None
        samples = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.stack(frames), np.concatenate(samples)


def read_truth(root, split):
    return json.loads((root / f'{split}_events.json').read_text())


@pytest.fixture(scope='module')
def tiny_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('glancebench')
    generate(TINY, str(root), seed=3)
    return root


def test_lists_classes_and_truth_fit_together(tiny_root):
    classes = (tiny_root / 'classes.txt').read_text().splitlines()
    assert len(classes) == 8 and classes[:2] == ['red rows', 'red columns']
    for split, count in (('train', 12), ('val', 2), ('test', 3)):
        lines = (tiny_root / f'{split}.txt').read_text().splitlines()
        names = [line.split()[0] for line in lines]
        assert len(lines) == count
        assert list(read_truth(tiny_root, split)) == names
        assert all((tiny_root / name).is_file() for name in names)
        assert [int(line.split()[1]) for line in lines] == [i % 8 for i in range(count)]
    assert not list(tiny_root.rglob('*.part'))


def test_files_show_what_is_stated(tiny_root):
    shown, kinds = [], set()
    for name, truth in read_truth(tiny_root, 'train').items():
        frames, sound = decode(tiny_root / name)
        assert frames.shape == (64, 112, 112, 3)
        assert (sound is not None) == truth['has_audio']
        times = np.arange(64) / 8
        in_event = np.zeros(64, dtype=bool)
        label = int(name[-10:-4]) % 8
        hue = np.array(list(render.HUES.values())[label // 2], dtype=bool)
        for event in truth['events']:
            inside = (event['start_seconds'] <= times) & (times < event['end_seconds'])
            assert not (in_event & inside).any()
            in_event |= inside
            kinds.add((event['visible'], event['audible']))
            assert event['visible'] or event['audible']
            for i in np.flatnonzero(inside):
                share = (times[i] - event['start_seconds']) / (
                    event['end_seconds'] - event['start_seconds'])
                box = (1 - share) * np.array(event['box']) + share * np.array(event['box_end'])
                x1, y1, x2, y2 = np.rint(box * 112).astype(int)
                assert 0 <= x1 < x2 <= 112 and 0 <= y1 < y2 <= 112
                # The mean of the disc's middle shows its colour, and no other does.
                colour = frames[i, y1 + 7 : y2 - 7, x1 + 7 : x2 - 7].mean((0, 1))
                if event['visible']:
                    assert colour[hue].min() > 160 and colour[~hue].max() < 110
                else:
                    assert not (colour[hue].min() > 160 and colour[~hue].max() < 110)
            if truth['has_audio']:
                span = sound[int(event['start_seconds'] * 16000) + 1000 :]
                span = span[: int(inside.sum() / 8 * 16000) - 2000]
                loudness = np.sqrt((span ** 2).mean())
                assert loudness > 0.4 if event['audible'] else loudness < 0.16
        assert 0.1 <= in_event.mean() <= 0.3
        assert any(event['visible'] for event in truth['events'])
        shown.append(in_event.mean())
    assert 0.15 < np.mean(shown) < 0.27
    assert kinds == {(True, True), (True, False), (False, True)}


@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_rates_of_the_published_sizes(spec):
    rng = np.random.default_rng(0)
    plans = [plan_video(spec, i % len(spec.classes), rng) for i in range(600)]
    events = [event for plan in plans for event in plan['events']]
    heard = [event for plan in plans if plan['has_audio'] for event in plan['events']]
    share = [sum(e['num_frames'] for e in plan['events']) / plan['num_frames'] for plan in plans]
    # Lengths are whole frames: the last half frame may go over.
    assert 0.1 <= min(share) and max(share) <= 0.3 + 0.5 / min(p['num_frames'] for p in plans)
    assert np.mean([plan['has_audio'] for plan in plans]) == pytest.approx(0.9, abs=0.04)
    assert np.mean([not e['audible'] for e in heard]) == pytest.approx(0.25, abs=0.03)
    assert np.mean([not e['visible'] for e in heard]) == pytest.approx(0.15, abs=0.03)
    # No place is better than another: a guess at the middle has nothing over one elsewhere.
    corners = np.array([e['corner'] for e in events])
    assert corners.mean(0) == pytest.approx((spec.image_size - spec.object_pixels) / 2, rel=0.05)
    for plan in plans:
        spans = sorted([(e['start_frame'], e['num_frames']) for e in plan['events']]
                       + list(plan['distractor_sounds']))
        assert all(a + length < b for (a, length), (b, _) in zip(spans, spans[1:]))
        assert spans[-1][0] + spans[-1][1] <= plan['num_frames']


def test_neither_hue_nor_sound_nor_both_settle_the_class():
    spec = SPECS['mini']
    keys = [divmod(label, 2) for label in range(8)]
    sounds = [spec.sound_of(*key) for key in keys]
    assert np.bincount(sounds).tolist() == [2, 2, 2, 2]
    both = [(hue, sound) for (hue, _), sound in zip(keys, sounds)]
    assert len(set(both)) == 6
    classes, others = render.tone_pairs(SPECS['full'].num_sounds)
    assert len(set(classes)) == SPECS['full'].num_sounds and not set(classes) & set(others)


@pytest.mark.parametrize('name', render.PATTERNS)
def test_patterns_of_equal_colour_and_energy_vanish_at_a_quarter_of_the_size(name):
    rng = np.random.default_rng(0)
    for _ in range(5):
        pattern = render.draw_pattern(name, 32, rng)
        assert (pattern ** 2).mean() == pytest.approx(0.5, abs=1e-6)
        for top, left in np.ndindex(4, 4):
            cut = pattern[top : top + 28, left : left + 28]
            assert cut.reshape(7, 4, 7, 4).mean((1, 3)) == pytest.approx(0, abs=1e-6)


def test_patterns_differ_at_full_size():
    rng = np.random.default_rng(0)
    spectra = {name: np.abs(np.fft.fft2(render.draw_pattern(name, 32, rng))) / 32 ** 2
               for name in render.PATTERNS}
    # A period of 4 in 32 pixels is frequency 8; (y, x) lists which waves each pattern holds.
    for name, waves in dict(rows=[(8, 0)], columns=[(0, 8)], checks=[(8, 8), (8, -8)]).items():
        peaks = {(y % 32, x % 32) for wave in waves for y, x in (wave, (-wave[0], -wave[1]))}
        assert {tuple(peak) for peak in np.argwhere(spectra[name] > 1e-3).tolist()} == peaks
    assert np.count_nonzero(spectra['diagonals'] > 1e-3) == 2
    assert spectra['diagonals'][8, [8, -8]].max() == pytest.approx(0.5, abs=1e-6)


def test_same_seed_same_content_whatever_the_workers(tiny_root, tmp_path):
    few = dataclasses.replace(TINY, num_train=2, num_val=0, num_test=1)
    generate(few, str(tmp_path / 'same'), seed=3, workers=2)
    generate(dataclasses.replace(few, num_test=0), str(tmp_path / 'other'), seed=4)
    for name in ('videos/train/000001.mp4', 'videos/test/000000.mp4'):
        for a, b in zip(decode(tiny_root / name), decode(tmp_path / 'same' / name)):
            np.testing.assert_array_equal(a, b)
        truth = read_truth(tiny_root, name.split('/')[1])[name]
        assert read_truth(tmp_path / 'same', name.split('/')[1])[name] == truth
    name = 'videos/train/000001.mp4'
    assert not np.array_equal(decode(tiny_root / name)[0], decode(tmp_path / 'other' / name)[0])


def test_a_second_run_makes_only_what_is_missing(tiny_root, monkeypatch):
    made = []
    monkeypatch.setattr(glancebench, 'track_progress', lambda function, tasks: made.extend(tasks))
    lost = tiny_root / 'videos/test/000001.mp4'
    lost.rename(f'{lost}.part')  # what an interrupted run leaves
    generate(TINY, str(tiny_root), seed=3)
    assert made == [(str(lost), 'test', 1)]
    os.rename(f'{lost}.part', lost)


def test_other_settings_in_the_same_folder_are_refused(tiny_root):
    with pytest.raises(ValueError, match='seed: 3 there, 4 now'):
        generate(TINY, str(tiny_root), seed=4)
    with pytest.raises(ValueError, match='crf: 20 there, 30 now'):
        generate(dataclasses.replace(TINY, crf=30), str(tiny_root), seed=3)


@pytest.mark.parametrize('change, message', [
    (dict(num_hues=7), 'num_hues must be 1 to 6, got 7'),
    (dict(num_patterns=0), 'num_patterns must be 1 to 4, got 0'),
    (dict(image_size=28), 'image_size .* got 28 and 28'),
    (dict(event_share=(0.3, 0.1)), 'event_share .*0.3, 0.1'),
])
def test_impossible_settings(change, message):
    with pytest.raises(ValueError, match=message):
        GlanceBenchSpec(**{**dataclasses.asdict(TINY), **change})


def test_dataset_hands_events_on(tiny_root):
    dataset = glancebench.GlanceBenchDataset(
        ann_file='train.txt', event_file='train_events.json', data_root=str(tiny_root),
        data_prefix=dict(video=''), pipeline=[], test_mode=True)
    truth = read_truth(tiny_root, 'train')
    assert len(dataset) == 12
    for index in (0, 11):
        info = dataset.get_data_info(index)
        name = os.path.relpath(info['filename'], tiny_root)
        assert info['events'] == truth[name]['events'] and info['label'] == index % 8


def test_dataset_misses_a_video_in_the_event_file(tiny_root):
    with pytest.raises(ValueError, match='test_events.json says nothing of .*train/000000.mp4'):
        DATASETS.build(dict(
            type='GlanceBenchDataset', ann_file='train.txt', event_file='test_events.json',
            data_root=str(tiny_root), data_prefix=dict(video=''), pipeline=[], test_mode=True))


def test_command_line(tmp_path, monkeypatch):
    tool = os.path.join(os.path.dirname(__file__), '../../tools/data/glancebench/generate.py')
    monkeypatch.setattr(sys, 'argv', [
        tool, '--size', 'mini', '--out', str(tmp_path / 'set'), '--num-train', '2', '--num-val',
        '0', '--num-test', '1', '--workers', '1'])
    runpy.run_path(tool, run_name='__main__')
    assert len((tmp_path / 'set/train.txt').read_text().splitlines()) == 2
    assert len(list((tmp_path / 'set').rglob('*.mp4'))) == 3
