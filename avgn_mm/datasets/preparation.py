"""From annotations and a folder of videos to MMAction2's lists, class names and a report."""

import argparse
import json
import os
import os.path as osp
from collections.abc import Sequence

from .annotation_lists import Entry, check_labels
from .video_folder import Probe, VideoFolder

# Peers leave out what has fewer frames (AdaFocus); the samplers themselves live with one.
MIN_FRAMES = 3
_COLUMNS = ('listed', 'found', 'usable', 'missing', 'unreadable', 'too_short', 'without_labels',
            'without_audio', 'other_length', 'several_files', 'listed_twice', 'repaired_ids')


def _merge(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Join entries of one video; returns them, and the ids that stood there more than once."""
    merged: dict[str, Entry] = {}
    repeated = []
    for entry in entries:
        known = merged.get(entry.video_id)
        if known is not None:
            repeated.append(entry.video_id)
            entry = Entry(entry.video_id, tuple(dict.fromkeys(known.labels + entry.labels)),
                          known.seconds or entry.seconds)
        merged[entry.video_id] = entry
    return list(merged.values()), list(dict.fromkeys(repeated))


def _other_length(found: Probe, seconds: float | None) -> bool:
    """Whether a file is much longer or shorter than it should be: cut, or not yet cut."""
    expected = seconds or found.container_seconds
    return abs(found.seconds - expected) > max(2.0, 0.1 * expected)


def prepare(splits: dict[str, Sequence[Entry]], classes: Sequence[str], *, videos: str, out: str,
            multi_label: bool, workers: int = 1) -> dict:
    """Write ``{split}.txt``, ``classes.txt``, ``report.json`` and ``report.md`` into a folder.

    A list holds what can be trained on and tested: videos with a label whose file is there, can
    be read, and has at least three frames. Where a video has several files, an .mp4 goes first,
    and one that cannot be read is passed over.

    Args:
        splits (dict[str, Sequence[Entry]]): The videos of each split.
        classes (Sequence[str]): Names by label.
        videos (str): The folder of the files; the paths in the lists are relative to it.
        out (str): The folder to write; made if it is not there.
        multi_label (bool): Whether a video may have several labels.
        workers (int): Processes that read the files; 0 for this one.

    Returns:
        dict: The content of ``report.json``: for each of ``splits`` the number of ``listed``,
        ``found`` and ``usable`` videos, and who is ``missing``, ``unreadable`` (with the reason),
        ``too_short`` (with the number of frames), ``without_labels``, ``without_audio``,
        ``other_length`` (with the file's and the expected seconds), has ``several_files``, is
        ``listed_twice``, has one of the ``repaired_ids``; and ``in_both_splits``.

    Raises:
        ValueError: If a label is not that of a class, or there are several in a single-label set.
    """
    check_labels(splits, len(classes))
    merged = {split: _merge(entries) for split, entries in splits.items()}
    for split, (entries, _) in merged.items():
        several = next((entry for entry in entries if len(entry.labels) > 1), None)
        if several is not None and not multi_label:
            raise ValueError(f'{several.video_id} has {len(several.labels)} labels '
                             f'{several.labels} in {split}, where one is right')
    folder = VideoFolder(videos)
    wanted = {name for entries, _ in merged.values() for entry in entries
              if (name := folder.find(entry.video_id))}
    probes = folder.probe([path for name in sorted(wanted) for path in folder.files[name]],
                          workers)
    os.makedirs(out, exist_ok=True)
    reports = {}
    for split, (entries, repeated) in merged.items():
        lines, reports[split] = _sort_out(entries, folder, probes)
        reports[split]['listed_twice'] = repeated
        _write(osp.join(out, f'{split}.txt'), lines)
    _write(osp.join(out, 'classes.txt'), classes)
    ids = [{entry.video_id for entry in entries} for entries, _ in merged.values()]
    report = dict(num_classes=len(classes), videos=videos, splits=reports,
                  in_both_splits=sorted(set.intersection(*ids)) if len(ids) > 1 else [])
    with open(osp.join(out, 'report.json'), 'w', encoding='utf-8') as file:
        json.dump(report, file, indent=1)
    _write(osp.join(out, 'report.md'), table(report).splitlines())
    return report


def _sort_out(entries: Sequence[Entry], folder: VideoFolder, probes: dict[str, Probe]
              ) -> tuple[list[str], dict]:
    """The lines of a list, and who is not in it or is noteworthy."""
    report = dict(listed=len(entries), found=0, usable=0, missing=[], unreadable={}, too_short={},
                  without_labels=[], without_audio=[], other_length={}, several_files={},
                  listed_twice=[], repaired_ids={})
    lines = []
    for entry in entries:
        name = folder.find(entry.video_id)
        if not entry.labels:
            report['without_labels'].append(entry.video_id)
            continue
        if name is None:
            report['missing'].append(entry.video_id)
            continue
        report['found'] += 1
        if name != entry.video_id:
            report['repaired_ids'][entry.video_id] = name
        paths = folder.files[name]
        if len(paths) > 1:
            report['several_files'][name] = paths
        readable = [path for path in paths if probes[path].error is None]
        if not readable:
            report['unreadable'][paths[0]] = probes[paths[0]].error
            continue
        path = next((path for path in readable if probes[path].num_frames >= MIN_FRAMES),
                    readable[0])
        found = probes[path]
        if found.num_frames < MIN_FRAMES:
            report['too_short'][path] = found.num_frames
            continue
        if not found.has_audio:
            report['without_audio'].append(path)
        if _other_length(found, entry.seconds):
            report['other_length'][path] = [
                round(found.seconds, 2), round(entry.seconds or found.container_seconds, 2)]
        lines.append(' '.join([path, *map(str, entry.labels)]))
    report['usable'] = len(lines)
    return lines, report


def table(report: dict) -> str:
    """A report's numbers as a table in Markdown, a row for each finding."""
    splits = report['splits']
    rows = [['', *splits]]
    for column in _COLUMNS:
        values = [splits[split][column] for split in splits]
        rows.append([column.replace('_', ' '),
                     *(str(value if isinstance(value, int) else len(value)) for value in values)])
    rows.insert(1, ['---'] * len(rows[0]))
    text = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
    return (f'{text}\n\nClasses: {report["num_classes"]}. '
            f'Videos in more than one split: {len(report["in_both_splits"])}.')


def _write(path: str, lines: Sequence[str]) -> None:
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(f'{line}\n' for line in lines)


def prepare_and_tell(splits: dict[str, Sequence[Entry]], classes: Sequence[str],
                     args: argparse.Namespace, *, multi_label: bool) -> None:
    """What every script does with what it has read; for arguments see :func:`prepare`.

    Raises:
        SystemExit: As :func:`finish`.
    """
    where_configs_look = osp.join(args.out, 'videos')
    report = prepare(splits, classes, videos=args.videos or where_configs_look, out=args.out,
                     multi_label=multi_label, workers=args.workers)
    finish(report, args.out, where_configs_look)


def finish(report: dict, out: str, default_videos: str) -> None:
    """Print what a script has done, and what is to be done about it.

    Raises:
        SystemExit: If a list is empty, so that nothing can be trained or tested.
    """
    print(f'{table(report)}\n\nLists, class names and report.json (who is missing, and so on) are '
          f'in {out}')
    videos = report['videos']
    if osp.realpath(videos) != osp.realpath(default_videos):
        print(f'The configs look for the videos in {default_videos}: link {videos} to it, or set '
              'data_prefix.video of the three dataloaders.')
    empty = [split for split, found in report['splits'].items() if not found['usable']]
    if empty:
        examples = next(iter(report['splits'][empty[0]]['missing']), 'none')
        raise SystemExit(f'No usable video of {" and ".join(empty)} lies in {videos} (missing, for '
                         f'example: {examples})')
