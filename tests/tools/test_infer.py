"""The tool that classifies files: resumable, and nothing stops it."""

import json
from pathlib import Path

import pytest

from tests.tiny_set import write_tiny_set


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('set')
    config, weights = write_tiny_set(folder, num_videos=4)
    (folder / 'videos').mkdir()
    for clip in folder.glob('test*.mp4'):
        clip.rename(folder / 'videos' / clip.name)
    (folder / 'videos/broken.mp4').write_text('no video')
    return folder / 'videos', ['--config', config, '--weights', weights, '--device', 'cpu']


def read(folder):
    return [json.loads(line) for line in (folder / 'results.jsonl').read_text().splitlines()]


def test_folder(infer, videos, tmp_path, capsys):
    folder, model = videos
    infer.main([str(folder), *model, '--num-focus', '2', '--out', str(tmp_path)])
    results = read(tmp_path)
    assert [Path(r['filename']).name for r in results] == [
        'broken.mp4', *(f'test{i}.mp4' for i in range(4))]
    assert results[0]['error'] and all(r['error'] is None for r in results[1:])
    assert all(len(r['frames']) == 2 for r in results[1:])
    printed = capsys.readouterr()
    assert 'broken.mp4: NOT READ' in printed.out and '5 videos, 1 of them not read' in printed.err


def test_goes_on_where_it_was_stopped(infer, videos, tmp_path):
    folder, model = videos
    command = [str(folder), *model, '--out', str(tmp_path)]
    infer.main(command)
    lines = (tmp_path / 'results.jsonl').read_text().splitlines(keepends=True)
    # Stopped within the third line.
    (tmp_path / 'results.jsonl').write_text(''.join(lines[:2]) + lines[2][:20])
    infer.main(command)
    names = [r['filename'] for r in read(tmp_path)]
    assert len(names) == len(set(names)) == 5
    assert (tmp_path / 'results.jsonl').read_text().startswith(''.join(lines[:2]))


def test_report_is_of_all_runs(infer, videos, tmp_path, capsys):
    folder, model = videos
    infer.main([str(folder / 'test0.mp4'), *model, '--out', str(tmp_path)])
    infer.main([str(folder / 'test1.mp4'), str(folder / 'broken.mp4'), *model, '--out',
                str(tmp_path), '--report'])
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<article') == page.count('<video') == 2
    assert 'test0.mp4' in page and '3 videos, <a href="#failed">1 of them not read</a>' in page
    with pytest.raises(SystemExit):
        infer.main([str(folder), *model, '--report'])
    assert '--report needs --out' in capsys.readouterr().err
