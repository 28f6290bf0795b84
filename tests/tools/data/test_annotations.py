"""Annotation files: small excerpts of each form, and the real ones where they are."""

import csv
import json
from collections import Counter

import pytest

from avgn_mm.datasets.annotation_lists import (
    Entry,
    read_class_names,
    read_list,
    split_name,
    video_id,
)


@pytest.mark.parametrize(('name', 'expected'), [
    ('v_QJm_B5Hx4DI', 'QJm_B5Hx4DI'),
    ('v_v_Vg4a8igc0.mp4', 'v_Vg4a8igc0'),  # the id itself begins with v_
    ('v_Vg4a8igc0.mp4', 'v_Vg4a8igc0'),
    ('v_tnXjdv_GM9g', 'tnXjdv_GM9g'),
    ('a folder/v_x/QJm_B5Hx4DI.MP4', 'QJm_B5Hx4DI'),
    ('QJm_B5Hx4DI.mp4.webm', 'QJm_B5Hx4DI'),
    ('images/val/air drumming/7LSJ2Ryv1a8_000000_000010', '7LSJ2Ryv1a8'),
    ('__000001_00_000003_000013.mkv', '__000001_00'),
    ('clip.v2', 'clip.v2'),
])
def test_video_id(name, expected):
    assert video_id(name) == expected


def test_split_name():
    assert split_name('/train/anet_val_list.txt') == 'val'
    assert split_name('FCVID_test.txt') == 'val' and split_name('Train.csv') == 'train'
    for path in ('list.txt', 'train_and_val.txt'):
        with pytest.raises(ValueError, match='cannot tell which split'):
            split_name(path)


def test_lists_of_all_forms(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('\ufeffv_QJm_B5Hx4DI 4169 57\r\n\n'
                    'aaaaaaaaaaa,120,3,3,7,3\n'
                    'images/val/air drumming/7LSJ2Ryv1a8_000000_000010;60;0\n'
                    'images/val/air drumming/7LSJ2Ryv1a8_000000_000010 60 0\n'
                    '12345678901 300 5 6\n', encoding='utf-8')
    assert read_list(str(path)) == [
        Entry('QJm_B5Hx4DI', (57, )), Entry('aaaaaaaaaaa', (3, 7)), Entry('7LSJ2Ryv1a8', (0, )),
        Entry('7LSJ2Ryv1a8', (0, )), Entry('12345678901', (5, 6))]


@pytest.mark.parametrize('line', ['v_QJm_B5Hx4DI', 'v_QJm_B5Hx4DI 12', 'a,12,dog', 'a 12 -1'])
def test_malformed_lines_are_named(tmp_path, line):
    (tmp_path / 'list.txt').write_text(f'aaaaaaaaaaa 1 2\n{line}\n')
    with pytest.raises(ValueError, match=r'list\.txt:2: expected "id frames label'):
        read_list(str(tmp_path / 'list.txt'))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_list(str(tmp_path / 'nowhere.txt'))


def test_class_names(tmp_path):
    path = tmp_path / 'classInd.txt'
    for text in ('playing chess\n3 point shot\n', '1,playing chess\n2,3 point shot\n',
                 '1 3 point shot\n0 playing chess\n'):
        path.write_text(text)
        assert read_class_names(str(path), 2) == ['playing chess', '3 point shot']
    with pytest.raises(ValueError, match='should name 3 classes, but has 2'):
        read_class_names(str(path), 3)
    path.write_text('0 a\n2 b\n')
    with pytest.raises(ValueError, match='without gaps'):
        read_class_names(str(path), 2)


# ---------------------------------------------------------------------------- ActivityNet

def label_order(prepare, order):
    names = prepare.read_classes()[0]
    return names if order == 'mmaction2' else sorted(names)


@pytest.mark.parametrize('order', ['mmaction2', 'arnet'])
def test_activitynet_order_of_labels_is_found(load_prepare, tmp_path, capsys, order):
    prepare = load_prepare('activitynet')
    names, known = prepare.read_classes()
    assert len(set(names)) == len(known) == 200
    theirs = label_order(prepare, order)
    paths = []
    for split, videos in (('train', list(known)[:10]), ('val', list(known)[10:12])):
        paths.append(str(tmp_path / f'{split}.txt'))
        lines = [f'v_{video} 100 {theirs.index(known[video])}\n' for video in videos]
        (tmp_path / f'{split}.txt').write_text(''.join(lines))
    splits = prepare.read_lists(paths, names, known, 'auto')
    assert f'label order of {order}' in capsys.readouterr().out
    for entries in splits.values():
        assert all(names[entry.labels[0]] == known[entry.video_id] for entry in entries)
    # Labels of neither order: some other numbering.
    shifted = {'train': [Entry(video, ((names.index(known[video]) + 3) % 200, ))
                         for video in known]}
    with pytest.raises(ValueError, match='cannot tell the order of the labels: of 200'):
        prepare.find_order(shifted, {name: label_order(prepare, name)
                                     for name in prepare.ORDERS}, known)


def test_activitynet_release_with_unknown_class(load_prepare, tmp_path):
    prepare = load_prepare('activitynet')
    video = dict(subset='training', annotations=[dict(label='Napping', segment=[0, 1])])
    (tmp_path / 'a.json').write_text(json.dumps(dict(database=dict(aaaaaaaaaaa=video))))
    with pytest.raises(ValueError, match="aaaaaaaaaaa is labelled 'Napping'"):
        prepare.read_release(str(tmp_path / 'a.json'), prepare.read_classes()[0])


def test_real_activitynet(load_prepare, annotations):
    """10,024 and 4,926 videos, and the same names from lists in either order of labels."""
    prepare = load_prepare('activitynet')
    names, known = prepare.read_classes()
    assert names == (annotations / 'mmaction2' / 'label_map.txt').read_text().splitlines()
    found = [prepare.read_lists(
        [str(annotations / 'ocsampler' / f'{order}anet_{split}.txt')
         for split in ('train_video', 'val_video_multi_label')], names, known, 'auto')
        for order in ('', 'frameexit_')]
    assert found[0] == found[1]
    assert {split: len(entries) for split, entries in found[0].items()} == dict(
        train=10024, val=4926)
    entries = found[0]['train'] + found[0]['val']
    assert {label for entry in entries for label in entry.labels} == set(range(200))
    assert sum(len(entry.labels) == 2 for entry in entries) == 7
    ids = [entry.video_id for entry in entries]
    assert len(set(ids)) == 14950 and {len(name) for name in ids} == {11}
    assert sum('v_' in name for name in ids) == 12


# --------------------------------------------------------------------------------- FCVID

def test_fcvid_lists_of_peers(load_prepare, tmp_path, capsys):
    prepare = load_prepare('fcvid')
    (tmp_path / 'fcvid_train_split.txt').write_text('a1b2c3d4e5f,100,3,5,3\n')
    (tmp_path / 'fcvid_val_split.txt').write_text('c1b2c3d4e5f,100,238\n')
    paths = [str(tmp_path / f'fcvid_{split}_split.txt') for split in ('train', 'val')]
    splits, classes = prepare.read_annotations(paths)
    assert splits == {'train': [Entry('a1b2c3d4e5f', (3, 5))],
                      'val': [Entry('c1b2c3d4e5f', (238, ))]}
    assert len(classes) == 239 and 'No file of class names' in capsys.readouterr().out


def test_fcvid_files_that_do_not_fit(load_prepare, tmp_path):
    prepare = load_prepare('fcvid')
    files = {name: str(tmp_path / f'{name}.txt') for name in ('split', 'labels', 'short')}
    (tmp_path / 'split.txt').write_text('making cake/a.flv train\nb.flv\ttest\n')
    row = '\t'.join(['0'] * 237 + ['0.0', '1.000e+00'])
    (tmp_path / 'labels.txt').write_text(f'{row}\n{row}\n')
    (tmp_path / 'short.txt').write_text(f'{row}\n')
    assert prepare.read_annotations([files['labels'], files['split']])[0] == {
        'train': [Entry('a', (238, ))], 'val': [Entry('b', (238, ))]}
    with pytest.raises(ValueError, match='lists 2 videos, but .*short.txt has 1 rows'):
        prepare.read_annotations([files['short'], files['split']])
    with pytest.raises(ValueError, match='takes one file of names'):
        prepare.read_annotations([files['split']])
    (tmp_path / 'labels.txt').write_text(f'{row}\n0 1 0\n')
    with pytest.raises(ValueError, match='labels.txt:2: expected 239 numbers'):
        prepare.read_annotations([files['labels'], files['split']])


# -------------------------------------------------------------------------- Mini-Kinetics

def kinetics_csv(path, clips):
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['label', 'youtube_id', 'time_start', 'time_end', 'split'])
        writer.writerows([label, name, 3, 13, 'train'] for name, label in clips)
    return str(path)


def test_mini_kinetics_from_ids_and_json(load_prepare, tmp_path):
    prepare = load_prepare('mini_kinetics')
    (tmp_path / 'train_ids.txt').write_text('7LSJ2Ryv1a8\n-v_-GOOQ_aB\naaaaaaaaaaa\n')
    (tmp_path / 'val_ids.txt').write_text('Kv_G5xyzabc\n')
    clips = {name: dict(annotations=dict(label=label, segment=[3.0, 13.0]), subset='train')
             for name, label in (('7LSJ2Ryv1a8', 'air drumming'), ('-v_-GOOQ_aB', 'yoga'),
                                 ('Kv_G5xyzabc', 'archery'))}
    clips['test_video_'] = dict(subset='test')
    (tmp_path / 'kinetics.json').write_text(json.dumps(clips))
    paths = [str(tmp_path / name) for name in ('train_ids.txt', 'val_ids.txt', 'kinetics.json')]
    splits, classes = prepare.read_annotations(paths, '121k')
    assert splits == {
        'train': [Entry('7LSJ2Ryv1a8', (0, ), 10), Entry('-v_-GOOQ_aB', (199, ), 10),
                  Entry('aaaaaaaaaaa', ())],
        'val': [Entry('Kv_G5xyzabc', (4, ), 10)]}
    with pytest.raises(ValueError, match='show 3 classes .* not 200'):
        prepare.read_annotations(paths, '80k')
    with pytest.raises(ValueError, match='do not say what the classes are'):
        prepare.read_annotations(paths[:2], '121k')
    with pytest.raises(ValueError, match='needs the lists'):
        prepare.read_annotations(paths[2:], '121k')


def test_mini_kinetics_annotations_that_disagree(load_prepare, tmp_path):
    prepare = load_prepare('mini_kinetics')
    (tmp_path / 'train.list.txt').write_text('7LSJ2Ryv1a8 299 0\n')
    members = str(tmp_path / 'train.list.txt')
    for label, message in (('yoga', r'has the label \(0,\) in the list, but shows \'yoga\''),
                           ('zumba', 'is it the other --variant')):
        table = kinetics_csv(tmp_path / 'k.csv', [('7LSJ2Ryv1a8', label)])
        with pytest.raises(ValueError, match=message):
            prepare.read_annotations([members, table], '121k')
    (tmp_path / 'k.csv').write_text('name,label\n')
    with pytest.raises(ValueError, match=r"no columns \['time_end', 'time_start', 'youtube_id'\]"):
        prepare.read_annotations([members, str(tmp_path / 'k.csv')], '121k')


def test_real_mini_kinetics_121k(load_prepare, annotations):
    prepare = load_prepare('mini_kinetics')
    paths = [str(annotations / 'ocsampler' / f'mini_kinetics_{split}.txt')
             for split in ('train', 'val')]
    splits, classes = prepare.read_annotations(paths, '121k')
    assert {split: len(entries) for split, entries in splits.items()} == dict(
        train=121070, val=9864)
    assert classes == (annotations / 'adafuse' / 'minik_classInd.txt').read_text().splitlines()
    # Another project's list of the same validation set, whose paths name the classes.
    others, _ = prepare.read_annotations(
        [paths[0], str(annotations / 'adafuse' / 'mini_val.txt')], '121k')
    labels = {entry.video_id: entry.labels for entry in others['val']}
    assert len(labels) == 9867
    assert all(labels[entry.video_id] == entry.labels for entry in splits['val'])
    assert set(Counter(entry.labels[0] for entry in splits['train'])) == set(range(200))


def test_real_mini_kinetics_80k(load_prepare, annotations, tmp_path):
    """The ids are real; Kinetics' table, which is not here, is made up in its form."""
    prepare = load_prepare('mini_kinetics')
    paths = [annotations / 's9xie' / f'{split}_ytid_list.txt' for split in ('train', 'val')]
    ids = [name for path in paths for name in path.read_text().split()]
    table = kinetics_csv(tmp_path / 'k.csv', ((name, f'class {i % 200:03d}')
                                              for i, name in enumerate(ids)))
    splits, classes = prepare.read_annotations([*map(str, paths), table], '80k')
    assert {split: len(entries) for split, entries in splits.items()} == dict(train=80000, val=5000)
    assert classes[:2] == ['class 000', 'class 001'] and splits['train'][201].labels == (1, )
