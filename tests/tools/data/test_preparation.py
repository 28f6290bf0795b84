"""Lists, class names and report from a folder that holds all the trouble that folders hold."""

import json
import os
import signal

import pytest

from avgn_mm.datasets import AudioVisualDataset, video_folder
from avgn_mm.datasets.annotation_lists import Entry
from avgn_mm.datasets.preparation import finish, prepare, table
from avgn_mm.datasets.video_folder import VideoFolder, probe_files
from tests.media import write_clip

CLASSES = [f'thing {i}' for i in range(5)]


def write(folder, *names, **kwargs):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, **{**dict(num_frames=4, audio=440.0), **kwargs})


def entries(*names, labels=(0, )):
    return [Entry(name, tuple(labels)) for name in names]


def test_trouble_is_reported_and_left_out(tmp_path):
    videos, out = tmp_path / 'my videos', tmp_path / 'out'
    write(videos, 'good one.mp4', 'in a folder/two  7 .mkv', 'twice.avi')
    write(videos, 'silent.mp4', audio=None)
    write(videos, 'short.mp4', num_frames=2)
    write(videos, 'long.mp4', num_frames=60)
    write(videos, 'sound only.mp4', video_codec=None)
    (videos / 'twice.mp4').write_bytes(b'not a video')
    (videos / 'broken.webm').write_bytes(b'')
    (videos / 'cut.mp4').write_bytes((videos / 'good one.mp4').read_bytes()[:600])
    (videos / '.hidden.mp4').write_bytes(b'')
    (videos / 'notes.txt').write_text('no video')
    train = [Entry('good one', (0, )), Entry('good one', (3, 0)), Entry('two  7', (1, 2)),
             *entries('twice', 'silent', 'short', 'sound only', 'broken', 'cut', 'gone'),
             Entry('long', (4, ), seconds=2.0), Entry('unknown', ())]
    report = prepare(dict(train=train, val=entries('good one')), CLASSES, videos=str(videos),
                     out=str(out), multi_label=True, workers=0)

    assert (out / 'train.txt').read_text().splitlines() == [
        'good one.mp4 0 3', 'in a folder/two  7 .mkv 1 2', 'twice.avi 0', 'silent.mp4 0',
        'long.mp4 4']
    assert (out / 'classes.txt').read_text().splitlines() == CLASSES
    found = report['splits']['train']
    assert (found['listed'], found['found'], found['usable']) == (11, 9, 5)
    assert found['missing'] == ['gone'] and found['without_labels'] == ['unknown']
    assert list(found['unreadable']) == ['sound only.mp4', 'broken.webm', 'cut.mp4']
    assert 'no video track' in found['unreadable']['sound only.mp4']
    assert found['too_short'] == {'short.mp4': 2} and found['without_audio'] == ['silent.mp4']
    assert found['other_length'] == {'long.mp4': [6.0, 2.0]}
    assert found['several_files'] == {'twice': ['twice.mp4', 'twice.avi']}
    assert found['listed_twice'] == ['good one'] and report['in_both_splits'] == ['good one']
    assert json.loads((out / 'report.json').read_text()) == report
    assert '| without audio | 1 | 0 |' in (out / 'report.md').read_text()

    # What is written can be read: blanks in paths, several labels.
    dataset = AudioVisualDataset(
        str(out / 'train.txt'), [], data_prefix=dict(video=str(videos)), multi_class=True,
        num_classes=5)
    items = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert items[1]['label'].tolist() == [0, 1, 1, 0, 0]
    assert all(os.path.isfile(item['filename']) for item in items)


def test_ids_that_lost_their_v_are_repaired(tmp_path):
    """AR-Net's lists lost every "v_"; two files that would both fit are not guessed between."""
    for name in ('v_v_Vg4a8igc0.mp4', 'Uv_6SJlvCl0.mp4', 'v_ab_cdefghi.mp4', 'abv__cdefghi.mp4'):
        (tmp_path / name).touch()
    folder = VideoFolder(str(tmp_path))
    assert folder.find('Vg4a8igc0') == 'v_Vg4a8igc0'
    assert folder.find('U6SJlvCl0') == 'Uv_6SJlvCl0'
    assert folder.find('ab_cdefghi') is None
    write(tmp_path, 'v_tnXjdv_GM9g.mp4')
    report = prepare(dict(val=entries('tnXjdGM9g')), CLASSES, videos=str(tmp_path),
                     out=str(tmp_path / 'out'), multi_label=False, workers=0)
    assert report['splits']['val']['repaired_ids'] == {'tnXjdGM9g': 'tnXjdv_GM9g'}
    assert report['splits']['val']['usable'] == 1


def test_links_are_followed_once(tmp_path):
    (tmp_path / 'disk' / 'part').mkdir(parents=True)
    (tmp_path / 'disk' / 'part' / 'a.mp4').touch()
    (tmp_path / 'disk' / 'part' / 'up').symlink_to(tmp_path / 'disk')
    (tmp_path / 'videos').symlink_to(tmp_path / 'disk')
    assert VideoFolder(str(tmp_path / 'videos')).files == {'a': ['part/a.mp4']}
    with pytest.raises(NotADirectoryError, match='--videos'):
        VideoFolder(str(tmp_path / 'nowhere'))


@pytest.mark.parametrize('name', [' a.mp4', 'b\n.mp4', os.fsdecode(b'c\xff.mp4')])
def test_names_that_no_list_can_hold(tmp_path, name):
    write(tmp_path, 'good.mp4')
    os.rename(tmp_path / 'good.mp4', tmp_path / name)
    folder = VideoFolder(str(tmp_path))
    (videos, ) = folder.files.values()
    assert 'rename it' in folder.probe(videos, workers=0)[videos[0]].error


def crash_on_bad(path):
    if 'bad' in path:
        os.kill(os.getpid(), signal.SIGKILL)
    return video_folder.Probe(num_frames=len(path))


def test_a_file_that_crashes_its_process_is_found(monkeypatch):
    monkeypatch.setattr(video_folder, 'probe', crash_on_bad)
    monkeypatch.setattr(video_folder, '_CHUNK', 2)
    paths = ['a', 'bb', 'bad', 'dddd', 'eeeee']
    probes = list(probe_files(paths, workers=1))
    assert [probe.num_frames for probe in probes] == [1, 2, 0, 4, 5]
    assert probes[2].error == 'decoding bad crashes the process'


def test_processes_see_what_this_one_sees(tmp_path):
    write(tmp_path, 'a.mp4', 'b.mp4')
    paths = [str(tmp_path / name) for name in ('a.mp4', 'gone.mp4', 'b.mp4')]
    assert list(probe_files(paths, 2)) == list(probe_files(paths, 0))


def test_labels_are_checked(tmp_path):
    arguments = dict(videos=str(tmp_path), out=str(tmp_path), workers=0)
    with pytest.raises(ValueError, match=r'label 5 of a \(val\) is not in 0..4'):
        prepare(dict(val=entries('a', labels=[5])), CLASSES, multi_label=True, **arguments)
    with pytest.raises(ValueError, match=r'a has 2 labels \(0, 1\) in train'):
        prepare(dict(train=entries('a', labels=[0, 1])), CLASSES, multi_label=False, **arguments)


def test_nothing_found_is_an_error_that_says_what_was_looked_for(tmp_path, capsys):
    (tmp_path / 'elsewhere').mkdir()
    report = prepare(dict(train=entries('a'), val=entries('b')), CLASSES,
                     videos=str(tmp_path / 'elsewhere'), out=str(tmp_path), multi_label=True)
    with pytest.raises(SystemExit, match='No usable video of train and val .* example: a'):
        finish(report, str(tmp_path), str(tmp_path / 'videos'))
    printed = capsys.readouterr().out
    assert 'link' in printed and table(report) in printed
