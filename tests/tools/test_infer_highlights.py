"""``tools/infer.py --highlights``: moments as JSON and as files."""

import json
from pathlib import Path

import pytest

from avgn_mm.datasets.transforms.video_reader import VideoReader
from tests.highlight_set import write_config, write_long_clip


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Files of equal names in two folders, of other formats, and one that is none."""
    folder = tmp_path_factory.mktemp('set')
    config, weights = write_config(folder)
    for name in ('one/a.mp4', 'two/a.mp4', 'two/b.mkv'):
        (folder / 'videos' / name).parent.mkdir(parents=True, exist_ok=True)
        write_long_clip(folder / 'videos' / name, 21)
    (folder / 'videos/broken.mp4').write_text('no video')
    return folder / 'videos', ['--config', config, '--weights', weights, '--device', 'cpu',
                               '--highlights', '2']


def read(folder):
    lines = (folder / 'highlights.jsonl').read_text().splitlines()
    return {Path(each['filename']).relative_to(Path(each['filename']).parents[1]).as_posix(): each
            for each in map(json.loads, lines)}


def test_moments_and_files(infer, videos, tmp_path, capsys):
    folder, options = videos
    command = [str(folder), *options, '--out', str(tmp_path), '--cut', str(tmp_path / 'cut')]
    infer.main(command)
    printed = capsys.readouterr()
    assert 'broken.mp4: NOT READ' in printed.out and 'peak memory' in printed.err
    found = read(tmp_path)
    assert len(found) == 4 and found['videos/broken.mp4']['error']
    for name in ('one/a.mp4', 'two/a.mp4', 'two/b.mkv'):
        moments = found[name]['moments']
        assert len(moments) == 2 and found[name]['error'] is None
        for i, moment in enumerate(moments, start=1):
            assert moment['end'] - moment['start'] in (4, 5)
            out = tmp_path / 'cut' / f'{name}_{i:02}.mp4'
            assert moment['file'] == str(out)
            assert (moment['file_start'], moment['file_end']) == (moment['start'], moment['end'])
            length = VideoReader(str(out)).duration_seconds
            assert length == pytest.approx(moment['end'] - moment['start'], abs=0.1)
    # Nothing is left to do.
    infer.main(command)
    assert '4 videos are answered' in capsys.readouterr().err and len(read(tmp_path)) == 4


def test_copies(infer, videos, tmp_path):
    folder, options = videos
    infer.main([str(folder / 'two'), *options, '--out', str(tmp_path), '--moment-seconds', '6',
                '--cut', str(tmp_path / 'cut'), '--copy'])
    for name, each in read(tmp_path).items():
        for moment in each['moments']:
            # One keyframe every 12 s or more.
            assert moment['file'].endswith(name[-4:]) and Path(moment['file']).is_file()
            assert moment['file_start'] <= moment['start'] < moment['file_end']
            assert moment['end'] - moment['start'] in (6, 7)


@pytest.mark.parametrize('flags, message', [
    (['--highlights', '1', '--num-focus', '2'], 'leave out'),
    (['--cut', 'there'], 'go with --highlights'),
    (['--highlights', '1', '--report', '--out', 'there'], 'no report')])
def test_flags_that_do_not_go_together(infer, capsys, flags, message):
    with pytest.raises(SystemExit):
        infer.main(['a.mp4', '--config', 'c.py', '--weights', 'w.pth', *flags])
    assert message in capsys.readouterr().err
