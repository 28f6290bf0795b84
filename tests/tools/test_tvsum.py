"""TVSum from its official files to a score."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avgn_mm.engine.launch import build_runner, load_config
from tests.highlight_set import (
    VIDEOS,
    annotate,
    to_frames,
    write_config,
    write_long_clip,
    write_tsv,
)
from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / 'shared/data/annotations/tvsum/ydata-tvsum50.mat'


@pytest.fixture(scope='module')
def prepare():
    return load_script('data/tvsum/prepare.py')


@pytest.fixture(scope='module')
def real(prepare):
    pytest.importorskip('h5py', reason='MATLAB 7.3 files need h5py')
    if not REAL.is_file():
        pytest.skip('the official annotations of ../shared are not here')
    return prepare.read_mat(REAL)


def test_real_annotations(prepare, real):
    assert len(real) == 50 and {video['scores'].shape[0] for video in real} == {20}
    categories = [video['category'] for video in real]
    assert set(categories) == set(prepare.CATEGORIES)
    assert {categories.count(name) for name in categories} == {5}
    by_id = {video['id']: video for video in real}
    assert by_id['PJrm840pAUI']['title'] == 'Vivencias: Jam Parkour Viña del Mar 2012'
    assert {(video['scores'].min(), video['scores'].max()) for video in real} == {(1, 5)}
    # The first and last of 74 shots of 148.956 s, as others' lists of shots have them.
    scores = by_id['sTEELN-vY30']['scores']
    assert scores.shape == (20, 74)
    assert scores[:, 0].tolist() == [5, 3, 2, 2, 1, 4, 3, 4, 1, 4, 4, 3, 4, 3, 3, 2, 3, 2, 2, 3]
    assert scores[:, 73].tolist() == [1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1]


def test_real_shots_from_the_frames_alone(prepare, real, tmp_path):
    """The text file says nothing of lengths; the shots are the same."""
    import h5py
    with h5py.File(REAL) as file:
        table = file['tvsum50']
        for i, video in enumerate(real):
            frames = file[table['user_anno'][i, 0]][:].astype(np.uint8)
            length = file[table['length'][i, 0]][:].item()
            assert video['scores'].shape[1] == length // 2
            (tmp_path / 'anno.tsv').write_text(''.join(
                f'{video["id"]}\t{video["category"]}\t{",".join(map(str, row))}\n'
                for row in frames.tolist()))
            (found, ) = prepare.read_tsv(tmp_path / 'anno.tsv', None)
            assert np.array_equal(found['scores'], video['scores'])
            # Each frame has its shot's score, up to a frame at the borders.
            size = 2 * frames.shape[1] / length
            shots = (np.arange(frames.shape[1]) / size).astype(int)
            shots = np.minimum(shots, int(length // 2) - 1)
            wrong = (frames != video['scores'][:, shots]).any(axis=0)
            assert wrong.mean() < 0.03


def test_real_reference(prepare, real, capsys):
    prepare.print_reference(real[:5])
    row = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| all ')][0]
    random, other, rest, every = map(float, row.split('|')[3:7])
    assert random < other < rest < every
    assert (random, rest) == (pytest.approx(0.41, abs=0.02), pytest.approx(0.83, abs=0.01))


def write_mat(path, fps=12.5):
    """A MATLAB 7.3 file in small."""
    h5py = pytest.importorskip('h5py', reason='MATLAB 7.3 files need h5py')
    with h5py.File(path, 'w') as file:
        def text(value):
            return np.frombuffer(value.encode(), np.uint8).astype(np.uint16)[:, None]

        columns = {name: [] for name in
                   ('video', 'category', 'title', 'length', 'nframes', 'user_anno')}
        for i, (video, category, title, shots) in enumerate(VIDEOS):
            number = round((2 * shots + 0.7) * fps)
            frames = to_frames(annotate(shots, i), number, 2 * fps).astype(float)
            values = (text(video), text(category), text(title), [[number / fps]], [[number]],
                      frames)
            for (name, column), value in zip(columns.items(), values):
                column.append(file.create_dataset(f'#refs#/{name}{i}', data=value).ref)
        for name, column in columns.items():
            table = file.create_dataset(f'tvsum50/{name}', (len(column), 1), h5py.ref_dtype)
            table[:, 0] = column


@pytest.mark.parametrize('kind', ['mat', 'tsv'])
def test_reads_both_files(prepare, tmp_path, kind):
    if kind == 'mat':
        write_mat(tmp_path / 'tvsum.mat')
        videos = prepare.read_mat(tmp_path / 'tvsum.mat')
    else:
        videos = prepare.read_videos(argparse.Namespace(
            annotations=write_tsv(tmp_path), info=None))
    assert [(v['id'], v['category'], v['title'], v['scores'].shape[1]) for v in videos] == [*VIDEOS]
    for i, (video, (*_, shots)) in enumerate(zip(videos, VIDEOS)):
        assert np.array_equal(video['scores'], annotate(shots, i))


def test_malformed_files(prepare, tmp_path):
    path = tmp_path / 'a-anno.tsv'
    for content, message in (('a\tVT\t1,x\n', ':1: expected an id'),
                             ('a\tVT\n', ':1: expected an id'),
                             ('a\tVT\t1,2\na\tVT\t1\n', ':2: 1 frames, but another'),
                             ('a\tVT\t1,1\n', 'scores of a change 0 times')):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            prepare.read_tsv(path, None)
    (tmp_path / 'a.mat').write_text('MATLAB 5.0')
    pytest.importorskip('h5py')
    with pytest.raises(ValueError, match='is no MATLAB 7.3 file'):
        prepare.read_mat(tmp_path / 'a.mat')


def test_report(prepare, tmp_path, capsys):
    """One missing, one in two containers and the wrong length, one without sound."""
    (tmp_path / 'videos/sub dir').mkdir(parents=True)
    write_long_clip(tmp_path / 'videos/sub dir/AwmHb44_ouw.mp4', 42.7, audio=None)
    write_long_clip(tmp_path / 'videos/-esJrBWj2d8.mp4', 30)
    (tmp_path / 'videos/-esJrBWj2d8.mkv').write_text('no video')
    prepare.main([str(write_tsv(tmp_path)), '--videos', str(tmp_path / 'videos'), '--out',
                  str(tmp_path), '--workers', '0'])
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['found'] == report['without audio'] == ['sub dir/AwmHb44_ouw.mp4']
    assert report['missing'] == ['PJrm840pAUI']
    assert report['too short'] == ['-esJrBWj2d8.mp4: 30.0 s, annotated are 68 to 70 s']
    assert '-esJrBWj2d8.mkv' in report['unreadable'][0]
    write_long_clip(tmp_path / 'videos/-esJrBWj2d8.mkv', 69)
    (tmp_path / 'videos/-esJrBWj2d8.mp4').unlink()
    write_long_clip(tmp_path / 'videos/sub dir/-esJrBWj2d8.mkv', 69)
    prepare.main([str(write_tsv(tmp_path)), '--videos', str(tmp_path / 'videos'), '--out',
                  str(tmp_path), '--workers', '0'])
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['found'] == ['sub dir/AwmHb44_ouw.mp4', '-esJrBWj2d8.mkv']
    assert report['duplicated'] == ['sub dir/-esJrBWj2d8.mkv: -esJrBWj2d8.mkv is used']
    assert '3 videos in 3 categories, 20 annotators each' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        prepare.main([str(write_tsv(tmp_path))])


def test_dry_run(prepare, tmp_path):
    """prepare -> test -> metric -> picture, on generated files named like the real ones."""
    (tmp_path / 'videos').mkdir()
    for name, _, _, shots in VIDEOS:
        write_long_clip(tmp_path / 'videos' / f'{name}.mp4', 2 * shots + 0.7, fps=10)
    prepare.main([str(write_tsv(tmp_path)), '--videos', str(tmp_path / 'videos'), '--out',
                  str(tmp_path), '--workers', '0'])
    config, weights = write_config(tmp_path)
    cfg = load_config(argparse.Namespace(
        config=config, cfg_options=dict(load_from=weights), work_dir=str(tmp_path / 'work'),
        launcher='none', local_rank=0))
    cfg.experiment_name = 'tvsum'
    runner = build_runner(cfg)
    metrics = runner.test()
    # 21, 34 and 17 shots in windows of 8.
    assert len(runner.test_dataloader.dataset) == 3 + 5 + 3
    found = [metrics[f'highlight/top5_mAP_{category}'] for category in ('VT', 'DS', 'PK')]
    assert metrics['highlight/top5_mAP'] == pytest.approx(np.mean(found))
    assert 0 < metrics['highlight/all_mAP'] < 1 and metrics['cost/frames_encoded'] == 8

    draw = load_script('analysis_tools/draw_highlights.py')
    out = tmp_path / 'figure.png'
    draw.main(['--out', str(out), '--device', 'cpu', '--', config, weights, '-esJrBWj2d8'])
    with Image.open(out) as picture:
        assert min(picture.size) > 300
    with pytest.raises(ValueError, match='neither a file nor one of the 3 videos'):
        draw.main([config, weights, 'other', '--out', str(out)])


def test_published_config(tmp_path):
    """It fits together at full size."""
    from mmengine.dataset import pseudo_collate

    from avgn_mm.engine.analysis import build_model, read_config
    from avgn_mm.registry import DATASETS
    (tmp_path / 'highlights.json').write_text(json.dumps(dict(shot_seconds=2.0, videos=[
        dict(path='a.mp4', category='VT', scores=annotate(20, 0).tolist())])))
    write_long_clip(tmp_path / 'a.mp4', 40.5)
    cfg = read_config(str(ROOT / 'configs/highlights/avgn_mn2_r50_tvsum.py'), {
        'test_dataloader.dataset.ann_file': str(tmp_path / 'highlights.json'),
        'test_dataloader.dataset.data_prefix.video': str(tmp_path)})
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model = build_model(cfg)
    batch = model.data_preprocessor(pseudo_collate([dataset[1]]), False)
    imgs, audios = model.unpack(batch['inputs'])
    assert imgs.shape == (1, 16, 3, 224, 224) and audios.shape == (1, 16, 1, 96, 64)
    assert len(dataset) == 2 and model.test_cfg['num_glances'] == 16
    assert batch['data_samples'][0].annotations.shape == (20, 20)
