"""A talker of GRID, made up here, to a set that says the truth; the real one where it is."""

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest

from avgn_mm.engine.analysis import build_model, read_config
from avgn_mm.registry import DATASETS
from tests.media import tone, write_clip
from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared/data/grid_s1'
# The made-up talker's picture is grey, but for the mouth's place while a word is said.
SIZE, MOUTH = (180, 144), (80, 100, 100, 112)
NUM_CLIPS, NUM_FRAMES = 12, 40


@pytest.fixture(scope='module')
def prepare():
    return load_script('data/grid/prepare.py')


@pytest.fixture(scope='module')
def corpus():
    return load_script('data/grid/corpus.py')


def draw(times, words, shift):
    x1, y1, x2, y2 = np.array(MOUTH) + np.tile(shift, 2)

    def image(index):
        picture = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
        for kind, (start, end) in enumerate(times):
            if round(25 * start) <= index < round(25 * end):
                # Red says the kind and blue the word; green flickers: the motion.
                picture[y1:y2, x1:x2] = (
                    40 * kind + 40, 220 if index % 2 else 30, 40 * (words[kind] % 4) + 40)
        return picture

    return image


@pytest.fixture(scope='module')
def talker(tmp_path_factory, corpus):
    """Clips of 1.6 s; all words last 0.2 s, the first one from 0.2 s on. A tone says the colour."""
    folder = tmp_path_factory.mktemp('talker')
    (folder / 'clips').mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(NUM_CLIPS):
        words = [int(rng.integers(len(texts))) for texts in corpus.GRAMMAR.values()]
        words[1] = i % 4
        times = [((2 + 2 * k) / 10, (4 + 2 * k) / 10) for k in range(6)]
        write_clip(folder / f'clips/c{i}.mp4', num_frames=NUM_FRAMES, fps=25, size=SIZE,
                   image=draw(times, words, rng.integers(-6, 7, size=2)),
                   audio=lambda t, hertz=300 + 100 * words[1]: np.where(
                       (t >= 0.2) & (t < 1.4), 0.3 * np.sin(2 * np.pi * hertz * t), 0))
        row = dict(id=f'c{i}', split='train' if i < 6 else 'val' if i < 9 else 'test')
        for (kind, texts), word, (start, end) in zip(corpus.GRAMMAR.items(), words, times):
            row |= {kind: texts[word], f'{kind}_t0': start, f'{kind}_t1': end}
        rows.append(row)
    with open(folder / 'labels.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope='module')
def tiny(prepare, talker, tmp_path_factory):
    """The set, by the command."""
    out = tmp_path_factory.mktemp('grid')
    prepare.main([str(talker), '--out', str(out), '--workers', '1', '--snr-db', '30',
                  '--crop-pixels', '112', '--samples-per-clip', '2', '1', '1'])
    return out


def read(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        return np.stack(frames), np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_lists_classes_and_truth_fit_together(tiny):
    assert (tiny / 'classes.txt').read_text().split() == ['blue', 'green', 'red', 'white']
    for split, count, first in (('train', 12, 0), ('val', 3, 6), ('test', 3, 9)):
        lines = (tiny / f'{split}.txt').read_text().splitlines()
        assert [line.split()[0] for line in lines] == list(
            json.loads((tiny / f'{split}_events.json').read_text()))
        assert [int(line.split()[1]) for line in lines] == [
            (first + i % (6 if split == 'train' else 3)) % 4 for i in range(count)]


def test_files_show_what_is_stated(tiny):
    """The task's word is seen and heard in its events, in their boxes, and nowhere else."""
    places, counts = set(), set()
    for split in ('train', 'val', 'test'):
        labels = dict(line.split() for line in (tiny / f'{split}.txt').read_text().splitlines())
        for name, truth in json.loads((tiny / f'{split}_events.json').read_text()).items():
            frames, sound = read(tiny / name)
            assert frames.shape == (50, 112, 112, 3) and abs(len(sound) - 32000) <= 2048
            times = np.arange(50) / 25
            counts.add(len(truth['events']))
            for event in truth['events']:
                inside = ((event['start_seconds'] <= times + 1e-6)
                          & (times + 1e-6 < event['end_seconds']))
                assert inside.sum() == 5
                box = np.array(event['box']) * 112
                x, y = np.rint((box[:2] + box[2:]) / 2).astype(int)
                shown = frames[:, y - 3:y + 3, x - 5:x + 5].mean(axis=(1, 2))
                assert abs(shown[inside, 0] - 80).max() < 25
                assert abs(shown[inside, 2] - 40 * int(labels[name]) - 40).max() < 25
                places.add((x, y))
                start, end = (round(event[f'{side}_seconds'] * 16000) for side in ('start', 'end'))
                spectrum = np.abs(np.fft.rfft(sound[start + 200:end - 200], 16000))
                assert abs(spectrum.argmax() - 300 - 100 * int(labels[name])) < 15
    assert len(places) > 6 and counts == {1, 2}


def test_fillers_hold_no_word_of_the_task(prepare, corpus, talker):
    spec = prepare.GridSpec(task='color')
    clips = [clip for clip in corpus.read_talker(talker) if clip.split == 'train']
    starts, counts = set(), set()
    for seed in range(200):
        plan = prepare.plan_sample(spec, clips, [NUM_FRAMES] * 6, [(80, 100, 100, 112)] * 6,
                                   (180, 144), 0, np.random.default_rng(seed))
        assert sum(piece.num_frames for piece in plan.pieces) == spec.num_frames
        # Clips 0 and 4 say blue, in frames 10 to 14.
        events = {piece for piece in plan.pieces if piece.clip in (0, 4)}
        assert {(piece.start, piece.end) for piece in events} == {(10, 15)}
        assert {clip for clip, _, _ in plan.events} == {piece.clip for piece in events} >= {0}
        for piece in set(plan.pieces) - events:
            assert 0 <= piece.start < piece.end <= NUM_FRAMES
            assert piece.end <= 10 or piece.start >= 15
        position = 0
        for piece in plan.pieces:
            if piece in events:
                assert (piece.clip, position / 25, (position + 5) / 25) in [
                    (clip, pytest.approx(start), pytest.approx(end))
                    for clip, start, end in plan.events]
            position += piece.num_frames
        assert not {clip for clip, _ in plan.babble} & {piece.clip for piece in events}
        (x, y), (x1, y1, x2, y2) = plan.corner, (80, 100, 100, 112)
        assert x <= x1 and x2 <= x + 112 <= 180 and y <= y1 and y2 <= y + 112 <= 144
        starts |= {round(start * 25) for _, start, _ in plan.events}
        counts.add(len(events))
    assert min(starts) < 5 and max(starts) > 40 and counts == {2}


def test_where_the_window_may_stand(prepare, corpus, talker):
    """The mouths are near its middle, or as near as the clip's edge lets them be."""
    clips = [clip for clip in corpus.read_talker(talker) if clip.split == 'train']

    def corners(box, **changes):
        plans = [prepare.plan_sample(
            prepare.GridSpec(task='color', **changes), clips, [NUM_FRAMES] * 6, [box] * 6,
            (300, 300), 0, np.random.default_rng(seed)) for seed in range(300)]
        return [{plan.corner[axis] for plan in plans} for axis in (0, 1)]

    # Round (150, 140): the middle of the window is up to 11 pixels away.
    x, y = corners((140, 135, 160, 145), spread=0.1)
    assert x == {*range(94 - 11, 94 + 12)} and y == {*range(84 - 11, 84 + 12)}
    assert corners((140, 135, 160, 145), spread=0) == [{94}, {84}]
    # At the edges, x from 0 and y up to 300 - 112; without a limit all that holds the box.
    x, y = corners((0, 280, 20, 290), spread=0.1)
    assert x == {0} and y == {188}
    x, _ = corners((140, 135, 160, 145), spread=1)
    assert 48 <= min(x) < 52 and 136 < max(x) <= 140
    with pytest.raises(ValueError, match='spread must be from 0 to 1, got 2'):
        prepare.GridSpec(task='color', spread=2)


def test_room_for_events(prepare, corpus, talker):
    """Fewer where the words would fill the sample; an error where not one fits."""
    clips = corpus.read_talker(talker)  # three of each colour

    def count(seconds, **changes):
        spec = prepare.GridSpec(task='color', seconds=seconds, **changes)
        return len(prepare.draw_events(spec, clips, [NUM_FRAMES] * NUM_CLIPS, 0,
                                       np.random.default_rng(0)))

    assert count(2.0, num_events=(3, 3)) == 3
    assert count(0.6, num_events=(3, 3)) == 2
    assert count(0.2, num_events=(3, 3)) == count(2.0, num_events=(1, 1)) == 1
    with pytest.raises(ValueError, match='its color lasts 5 frames, a sample 4'):
        count(0.16)
    with pytest.raises(ValueError, match=r'num_events must be .* got \(3, 2\)'):
        prepare.GridSpec(task='color', num_events=(3, 2))


def test_noise_level(prepare, corpus, talker):
    spec = prepare.GridSpec(task='color', snr_db=-10.0)
    quiet = prepare.GridSpec(task='color', snr_db=200.0)
    clips = [clip for clip in corpus.read_talker(talker) if clip.split == 'train']
    rng = np.random.default_rng(0)  # noise, so that no two sounds are alike
    footage = [corpus.Footage(None, rng.normal(size=640 * NUM_FRAMES)) for _ in clips]
    plan = prepare.plan_sample(spec, clips, [NUM_FRAMES] * 6, [(0, 0, 9, 9)] * 6, (180, 144), 0,
                               np.random.default_rng(1))  # no filler coincides with babble
    noisy, speech = (prepare.make_sound(s, plan, footage) for s in (spec, quiet))
    for sound in (noisy, speech):
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(spec.loudness, rel=0.01)
    # By least squares, as the whole is made equally loud.
    gain = noisy @ speech / (speech @ speech)
    said = np.concatenate([speech[round(start * 16000):round(end * 16000)]
                           for _, start, end in plan.events])
    ratio = np.mean((gain * said)**2) / np.mean((noisy - gain * speech)**2)
    assert 10 * np.log10(ratio) == pytest.approx(-10, abs=0.3)


def test_resumed_and_repeated(prepare, tiny, talker, tmp_path):
    arguments = [str(talker), '--snr-db', '30', '--crop-pixels', '112',
                 '--samples-per-clip', '2', '1', '1']
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob('*.mp4')}
    gone = tiny / 'videos/train/000003.mp4'
    content = gone.read_bytes()
    gone.unlink()
    prepare.main([*arguments, '--out', str(tiny), '--workers', '2'])
    assert gone.read_bytes() == content
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != gone)
    with pytest.raises(ValueError, match='snr_db: 30.0 there, 20.0 now'):
        prepare.main([*arguments[:2], '20', *arguments[3:], '--out', str(tiny)])


def test_word_files_of_grid(corpus, talker, tmp_path):
    """Without labels.csv: pauses are left out, and a shuffle draws the splits."""
    (tmp_path / 'clips').symlink_to(talker / 'clips')
    (tmp_path / 'align').mkdir()
    lines = ['0 5000 sil', '5000 8000 bin', '8000 12500 blue', '12500 13000 sp', '13000 15000 at',
             '15000 18000 f', '18000 21000 two', '21000 30000 now', '30000 40000 sil']
    for i in range(NUM_CLIPS):
        (tmp_path / f'align/c{i}.align').write_text('\n'.join(lines))
    clips = corpus.read_talker(tmp_path)
    assert clips[0].word('color') == corpus.Word('color', 'blue', 0.32, 0.5)
    splits = [clip.split for clip in clips]
    assert [splits.count(split) for split in ('train', 'val', 'test')] == [8, 2, 2]
    assert corpus.read_talker(tmp_path) == clips != corpus.read_talker(tmp_path, seed=1)

    (tmp_path / 'align/c0.align').write_text('\n'.join(lines).replace('blue', 'pink'))
    with pytest.raises(ValueError, match=r"c0\.align: 'pink' is no color of GRID"):
        corpus.read_talker(tmp_path)
    (tmp_path / 'align/c0.align').write_text('\n'.join(lines[:4]))
    with pytest.raises(ValueError, match=r'c0\.align: expected 6 words, got 2'):
        corpus.read_talker(tmp_path)


def test_labels_that_are_wrong(corpus, talker, tmp_path):
    (tmp_path / 'clips').symlink_to(talker / 'clips')
    with pytest.raises(FileNotFoundError, match='neither labels.csv nor'):
        corpus.read_talker(tmp_path)
    text = (talker / 'labels.csv').read_text()
    for old, new, message in (('train', 'half', "labels.csv:2: split must be"),
                              ('color_t0', 'colour_t0', 'labels.csv:2: expected the columns'),
                              ('c3', 'c99', 'for example c99')):
        (tmp_path / 'labels.csv').write_text(text.replace(old, new, 1))
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            corpus.read_talker(tmp_path)


def test_clips_that_are_not_whole(prepare, corpus, talker):
    clips = corpus.read_talker(talker)[:2]
    frames = np.zeros((NUM_FRAMES, 14, 18, 3), np.uint8)
    whole, cut, other = (corpus.Footage(shown, np.zeros(0, np.float32)) for shown in (
        frames[:34], frames[:33], frames[:, :, :17]))  # the last word ends at 1.4 s, frame 35
    prepare.check_footage(clips, [whole, whole])
    with pytest.raises(ValueError, match=r'c1\.mp4: ends after 1\.32 s, its last word after 1\.40'):
        prepare.check_footage(clips, [whole, cut])
    with pytest.raises(ValueError, match=r'c1\.mp4: its pictures .* \(14, 17\).* to \(14, 18\)'):
        prepare.check_footage(clips, [whole, other])


@pytest.mark.parametrize('config', sorted(
    path.relative_to(ROOT).as_posix() for path in ROOT.glob('configs/*/*_grid-*.py')))
def test_configs_fit_the_set(config, corpus, tiny):
    task = config.removesuffix('.py').split('-')[-1].removesuffix('_patches')
    cfg = read_config(config)
    heads = {part.num_classes for part in cfg.model.values()
             if isinstance(part, dict) and 'num_classes' in part}
    assert heads == {len(corpus.GRAMMAR[task])} and build_model(cfg)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        # Where the command writes it.
        assert dataset.data_root == f'data/grid-{task}' and {dataset.num_classes} == heads
        dataset.data_root = str(tiny)
        sample = DATASETS.build(dataset)[0]
        assert sample['data_samples'].gt_label >= 0


def test_a_file_of_the_original(corpus, tmp_path):
    """MPEG-1 with stereo sound at another rate, as GRID is handed out; and one cut to nothing."""
    path = write_clip(tmp_path / 'a.mpg', num_frames=30, fps=25, size=(96, 64),
                      video_codec='mpeg1video', audio=tone(1000, start=0.4, end=0.8),
                      audio_codec='mp2', audio_rate=44100, audio_layout='stereo')
    footage = corpus.load(path, 0.5)
    assert footage.frames.shape[1:] == (32, 48, 3)
    assert len(footage.sound) == 640 * len(footage.frames)
    loud = np.flatnonzero(np.abs(footage.sound) > 0.1) / 16000
    assert loud[0] == pytest.approx(0.4, abs=0.05) and loud[-1] == pytest.approx(0.8, abs=0.05)
    for name, message in (('cut.mp4', 'cannot open'), ('slow.mp4', 'no pictures at 25')):
        write_clip(tmp_path / name, fps=10, audio=440.0)
        if name == 'cut.mp4':
            (tmp_path / name).write_bytes(b'')
        with pytest.raises((RuntimeError, ValueError), match=message):
            corpus.load(str(tmp_path / name), 0.5)


@pytest.mark.skipif(not REAL.is_dir(), reason='the GRID clips of ../shared are not here')
def test_real_talker(corpus):
    """The mouth is found where it is, in clips that had no part in finding it."""
    mouth = load_script('data/grid/mouth.py')
    clips = corpus.read_talker(REAL)
    assert [sum(clip.split == split for clip in clips) for split in ('train', 'val', 'test')] == [
        560, 120, 120]
    train = [clip for clip in clips if clip.split == 'train'][::56]
    test = [clip for clip in clips if clip.split == 'test'][::30]
    maps = {clip: mouth.motion_map(clip, corpus.load(clip.path, 0.5)) for clip in train + test}
    finder = mouth.MouthFinder([maps[clip] for clip in train])
    for clip in test:
        x1, y1, x2, y2 = np.array(finder.find(maps[clip])) * 2
        assert 150 < (x1 + x2) / 2 < 205 and 190 < (y1 + y2) / 2 < 240
        assert 24 <= x2 - x1 <= 56 and 16 <= y2 - y1 <= 44
