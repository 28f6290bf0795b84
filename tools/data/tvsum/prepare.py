"""TVSum from its official files: ``python tools/data/tvsum/prepare.py ANNOTATIONS --videos DIR``.

Reads ``ydata-tvsum50.mat`` (MATLAB 7.3, by h5py) or ``ydata-tvsum50-anno.tsv`` and writes what
``HighlightDataset`` reads, ``highlights.json``, and a report on the files. ``--reference`` prints
instead what a random scorer and the annotators themselves reach, which needs no video.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avgn_mm.datasets.video_folder import VideoFolder
from avgn_mm.engine.analysis import markdown_table
from avgn_mm.evaluation.metrics.highlight_metric import reference_scores

SHOT_SECONDS = 2.0
CATEGORIES = {
    'VT': 'changing Vehicle Tire', 'VU': 'getting Vehicle Unstuck', 'GA': 'Grooming an Animal',
    'MS': 'Making Sandwich', 'PK': 'ParKour', 'PR': 'PaRade', 'FM': 'Flash Mob gathering',
    'BK': 'BeeKeeping', 'BT': 'attempting Bike Tricks', 'DS': 'Dog Show'}
# A file whose length is off by more is another cut of the video, and its shots are others.
LENGTH_TOLERANCE_SECONDS = 2.0
_REPORT = ('found', 'missing', 'unreadable', 'without audio', 'too short', 'too long', 'duplicated')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Prepare TVSum')
    parser.add_argument('annotations', type=Path,
                        help='ydata-tvsum50.mat or ydata-tvsum50-anno.tsv')
    parser.add_argument('--info', type=Path,
                        help='ydata-tvsum50-info.tsv, for the titles; by default the one beside '
                             'the .tsv, if it is there')
    parser.add_argument('--videos', help='folder of the videos, named by their ids')
    parser.add_argument('--out', type=Path, default=Path('data/tvsum'),
                        help='folder for highlights.json and report.json')
    parser.add_argument('--workers', type=int, default=4,
                        help='processes that open files, 0: this one')
    parser.add_argument('--reference', action='store_true',
                        help='print the scores of random and human scorers, and write nothing')
    args = parser.parse_args(argv)
    if not args.reference and args.videos is None:
        parser.error('--videos is needed, unless --reference is given')
    return args


def read_mat(path: Path) -> list[dict]:
    """Read the MATLAB file.

    Returns:
        list[dict]: ``id``, ``category``, ``title``, ``scores`` (annotators, shots) of each video.

    Raises:
        ImportError: If h5py is absent.
        ValueError: If it is another file.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError('reading a .mat file of MATLAB 7.3 needs h5py: pip install h5py, or '
                          'give the .tsv file instead') from error
    if not h5py.is_hdf5(path):
        raise ValueError(f'{path} is no MATLAB 7.3 file')
    videos = []
    with h5py.File(path, 'r') as file:
        if 'tvsum50' not in file:
            raise ValueError(f'{path} holds {sorted(file)} and no tvsum50')
        table = file['tvsum50']
        for row in range(len(table['video'])):
            values = {name: file[table[name][row, 0]][:] for name in
                      ('video', 'category', 'title', 'length', 'nframes', 'user_anno')}
            # Text lies there as bytes of UTF-8, one in each element.
            video, category, title = (
                values[name].astype(np.uint8).tobytes().decode()
                for name in ('video', 'category', 'title'))
            scores = values['user_anno']
            if scores.shape[1] != values['nframes'].item():
                raise ValueError(f'{path}: {video} has {values["nframes"].item():.0f} frames, but '
                                 f'scores of {scores.shape[1]}')
            videos.append(dict(
                id=video, category=category, title=title,
                scores=to_shots(scores, SHOT_SECONDS * scores.shape[1] / values['length'].item(),
                                int(values['length'].item() // SHOT_SECONDS))))
    return videos


def read_tsv(path: Path, info: Path | None) -> list[dict]:
    """Read the table of text, a line an annotator: id, category, scores of all frames.

    Returns:
        list[dict]: As :func:`read_mat`; ``title`` is '' without ``info``.

    Raises:
        ValueError: If a line is malformed.
    """
    categories, scores = {}, defaultdict(list)
    with open(path, encoding='utf-8', newline='') as file:
        for number, row in enumerate(csv.reader(file, delimiter='\t', quoting=csv.QUOTE_NONE), 1):
            if not row:
                continue
            try:
                video, category, frames = row
                frames = np.array(frames.split(','), dtype=np.uint8)
            except ValueError as error:
                raise ValueError(f'{path}:{number}: expected an id, a category and the scores of '
                                 f'the frames, 1,3,2,..., got {row!r:.80}') from error
            if scores[video] and len(scores[video][0]) != len(frames):
                raise ValueError(f'{path}:{number}: {len(frames)} frames, but another annotator '
                                 f'of {video} scored {len(scores[video][0])}')
            categories[video] = category
            scores[video].append(frames)
    titles = {}
    if info is not None:
        with open(info, encoding='utf-8', newline='') as file:
            titles = {row['video_id']: row['title'] for row in
                      csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE)}
    videos = []
    for video, rows in scores.items():
        rows = np.array(rows)
        size = shot_frames(rows, video)
        # A last shot that is all but whole counts: the size is known to a hundredth or so.
        number = int(rows.shape[1] / size + 0.02)
        videos.append(dict(id=video, category=categories[video], title=titles.get(video, ''),
                           scores=to_shots(rows, size, number)))
    return videos


def shot_frames(scores: np.ndarray, video: str) -> float:
    """How many frames a shot has, from where the scores change: the text files do not say it.

    With 20 annotators they change at nearly every border of two shots, so that the least distance
    is a shot, give or take a frame; numbering the borders by it, a line through them is exact.

    Args:
        scores (np.ndarray): (annotators, frames).
        video (str): Its id, for the message.

    Raises:
        ValueError: If they change less than twice.
    """
    borders = np.flatnonzero((np.diff(scores, axis=1) != 0).any(axis=0)) + 1
    if len(borders) < 2:
        raise ValueError(f'the scores of {video} change {len(borders)} times: the length of its '
                         'shots cannot be told from them')
    steps = np.diff(borders, prepend=0)
    size = np.median(steps[steps < 1.5 * steps.min()])
    return float(np.polyfit(np.cumsum(np.rint(steps / size)), borders, 1)[0])


def to_shots(scores: np.ndarray, frames_per_shot: float, number: int) -> np.ndarray:
    """From scores of frames to those of shots; what is left at the end belongs to the last one.

    Args:
        scores (np.ndarray): (annotators, frames), constant within shots.
        frames_per_shot (float): Not always a whole number.
        number (int): Of shots; one at least is made.

    Returns:
        np.ndarray: (annotators, shots) uint8.
    """
    middles = ((np.arange(max(1, number)) + 0.5) * frames_per_shot).astype(np.int64)
    return scores[:, np.minimum(middles, scores.shape[1] - 1)].astype(np.uint8)


def read_videos(args: argparse.Namespace) -> list[dict]:
    """Read the annotations, whichever file they are in."""
    if args.annotations.suffix == '.mat':
        return read_mat(args.annotations)
    info = args.info
    if info is None:
        beside = args.annotations.with_name(args.annotations.name.replace('-anno', '-info'))
        info = beside if beside != args.annotations and beside.is_file() else None
    return read_tsv(args.annotations, info)


def print_reference(videos: list[dict]) -> None:
    """A table of what random and human scorers reach, by category."""
    found = defaultdict(list)
    for i, video in enumerate(videos):
        found[video['category']].append(reference_scores(video['scores'], seed=i))
    names = list(found[videos[0]['category']][0])
    everything = [reference for references in found.values() for reference in references]
    print(f'{len(videos)} videos, {len(found)} categories, '
          f'{len(videos[0]["scores"])} annotators. top-5 mAP; last row: mAP over all shots\n')
    rows = [['category', 'videos', *names]]
    for label, references, which in [
            *((f'{name} {CATEGORIES.get(name, "")}'.strip(), references, 0)
              for name, references in found.items()),
            ('all', everything, 0), ('all, over all shots', everything, 1)]:
        rows.append([label, str(len(references)),
                     *(f'{np.mean([ref[name][which] for ref in references]):.3f}'
                       for name in names)])
    print(markdown_table(rows))


def check_files(videos: list[dict], folder: VideoFolder, workers: int) -> tuple[list[dict], dict]:
    """Find and open the files.

    Returns:
        tuple[list[dict], dict]: The usable videos with their ``path`` in the folder, and the
        report: names or messages by what was found out.
    """
    report: dict[str, list[str]] = {name: [] for name in _REPORT}
    files = {video['id']: folder.files.get(video['id'], []) for video in videos}
    probes = folder.probe([path for paths in files.values() for path in paths], workers)
    usable = []
    for video in videos:
        paths = files[video['id']]
        readable = [path for path in paths if probes[path].error is None]
        report['unreadable'] += [probes[path].error for path in paths if path not in readable]
        if not readable:
            report['missing'] += [] if paths else [video['id']]
            continue
        path, seconds = readable[0], probes[readable[0]].seconds
        report['duplicated'] += [f'{other}: {path} is used' for other in readable[1:]]
        annotated = video['scores'].shape[1] * SHOT_SECONDS
        off = f'{path}: {seconds:.1f} s, annotated are {annotated:.0f} to {annotated + 2:.0f} s'
        if seconds < annotated - LENGTH_TOLERANCE_SECONDS:
            report['too short'].append(off)
        elif seconds > annotated + SHOT_SECONDS + LENGTH_TOLERANCE_SECONDS:
            report['too long'].append(off)
        else:
            report['found'].append(path)
            if not probes[path].has_audio:
                report['without audio'].append(path)
            usable.append(dict(video, path=path))
    return usable, report


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    videos = read_videos(args)
    if args.reference:
        print_reference(videos)
        return
    usable, report = check_files(videos, VideoFolder(args.videos), args.workers)
    args.out.mkdir(parents=True, exist_ok=True)
    content = dict(
        shot_seconds=SHOT_SECONDS,
        videos=[dict(path=video['path'], id=video['id'], category=video['category'],
                     title=video['title'], scores=video['scores'].tolist()) for video in usable])
    (args.out / 'highlights.json').write_text(json.dumps(content, ensure_ascii=False) + '\n',
                                              encoding='utf-8')
    (args.out / 'report.json').write_text(json.dumps(report, indent=2, ensure_ascii=False) + '\n',
                                          encoding='utf-8')
    print(f'{len(videos)} videos in {len({video["category"] for video in videos})} categories, '
          f'{len(videos[0]["scores"])} annotators each')
    print(markdown_table([['files', 'number'],
                          *([name, str(len(report[name]))] for name in _REPORT)]))
    print(f'{args.out}/highlights.json: {len(usable)} videos; {args.out}/report.json has the names')
    if not usable:
        sys.exit(f'none of the videos is usable in {args.videos}')


if __name__ == '__main__':
    main()
