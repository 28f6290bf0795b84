"""``benchmark_videos.py``: its settings see the same files; no time is judged."""

import json

import pytest

from tests.media import tone, write_clip


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / 'videos'
    folder.mkdir()
    for i in range(3):
        write_clip(folder / f'{i}.mp4', num_frames=24, audio=tone(),
                   video_options={'g': '5', 'sc_threshold': '0'})
    return folder


def test_rows(load_tool, tiny_config, videos, tmp_path, capsys):
    file = tmp_path / 'times.json'
    load_tool('benchmark_videos').main([
        tiny_config, str(videos), '--budgets', '2,3', '8,8', '--fast', 'channels-last',
        '--batch-sizes', '1', '2', '--chunk', '2', '--device', 'cpu', '--no-mmaction2',
        '--json', str(file)])
    rows = json.loads(file.read_text())
    assert len(rows) == 2 * 2 * 2 * 2
    for row in rows:
        few = row['budget'] == '2, 3'
        assert 3 <= row['frames_decoded'] <= 5 if few else row['frames_decoded'] == 8
        assert row['videos_per_second'] > 0
        assert all(row['stages_ms'][stage] > 0 for stage in ('open', 'audio', 'frames', 'model'))
    shown = capsys.readouterr().out
    # Compared with each budget as it is.
    assert 'x row 1 | x row 9' in shown and 'MB more at the peak' in shown


def test_an_unreadable_file_stops_it(load_tool, tiny_config, tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(SystemExit, match=r'text\.mp4'):
        load_tool('benchmark_videos').main([
            tiny_config, str(tmp_path / 'text.mp4'), '--no-mmaction2', '--budgets', '2,2',
            '--device', 'cpu'])
