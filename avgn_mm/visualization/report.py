"""A report on classified videos: one HTML file that a browser opens from disk.

Styles, script and pictures are in the file. The videos are not, it refers to them by where they lie
seen from the report. Nothing is loaded from a network, and nothing that comes from outside (names
of files and classes, errors) is ever read as HTML or as script: it is escaped, and the page's
content security policy lets no script run but its own.
"""

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from avgn_mm.apis.inferencer import VideoResult, describe
from avgn_mm.datasets.transforms.audio import DecodeAudio, LogMel
from avgn_mm.datasets.transforms.audio_reader import AudioReader
from avgn_mm.datasets.transforms.video_reader import VideoReader

from .glance_figure import HOP_SECONDS, window_middles
from .report_page import HEAD, SCRIPT, STYLE

FRAME_WIDTH = 320  # at most, of the embedded frames
# The chart of a timeline: a curve above, the sound below. Its width is that of the video.
_WIDTH, _CURVE, _SOUND = 1000, 150, 60


def write_report(results: Sequence[VideoResult], path: str | Path, *,
                 title: str = 'What was found and what was looked at') -> None:
    """Write a report; several videos get an index. It is put in place when it is complete.

    The frames and the sound that were used are read again from the videos. Where that is not
    possible any more, the report says so and has the numbers only.

    Args:
        results (Sequence[VideoResult]): Of all videos, also of those that failed.
        path (str | Path): The HTML file.
        title (str): Its heading.
    """
    path = Path(path)
    unfinished = path.with_name(path.name + '.part')
    # A file name may hold bytes that are no text.
    with open(unfinished, 'w', encoding='utf-8', errors='xmlcharrefreplace') as file:
        file.writelines(_page(results, path.parent, title))
    os.replace(unfinished, path)


def _page(results: Sequence[VideoResult], folder: Path, title: str) -> Iterator[str]:
    """The file in pieces, so that no more than one video's pictures are held."""
    script = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    yield HEAD.substitute(title=escape(title), style=STYLE, script_hash=script)
    if len(results) != 1:
        yield _index(results)
    for number, result in enumerate(results, start=1):
        if result.error is None:
            yield _video(number, result, folder, 'metadata' if len(results) == 1 else 'none')
    failed = [result for result in results if result.error is not None]
    if failed:
        yield '<section id="failed"><h2>Not read</h2>\n<dl>'
        for result in failed:
            yield f'<dt>{escape(result.filename)}</dt><dd>{escape(result.error)}</dd>\n'
        yield '</dl></section>\n'
    yield f'</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'


def _index(results: Sequence[VideoResult]) -> str:
    answered = [result for result in results if result.error is None]
    text = f'{len(results)} videos'
    if len(answered) < len(results):
        text += f', <a href="#failed">{len(results) - len(answered)} of them not read</a>'
    gmacs = [result.gmacs for result in answered if result.gmacs is not None]
    if gmacs:
        text += f'; {np.mean(gmacs):.3g} GMACs and '
        text += f'{np.mean([result.frames_decoded for result in answered]):.3g} frames read a video'
    rows = ''.join(_index_row(number, result) for number, result in enumerate(results, start=1))
    head = ''.join(f'<th scope="col">{name}</th>' for name in
                   ('Video', 'Answer', 'Score', 'GMACs', 'Frames read', 'Milliseconds'))
    return (f'<nav aria-label="Videos"><p>{text}</p>\n<div class="wide"><table class="index">'
            f'<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div></nav>\n')


def _index_row(number: int, result: VideoResult) -> str:
    name = escape(result.filename)
    if result.error is not None:
        return (f'<tr class="failed"><th scope="row">{name}</th>'
                f'<td colspan="5">not read: {escape(result.error)}</td></tr>\n')
    cells = ('-', '-') if not result.labels else (
        escape(result.labels[0]['name']), f'{result.labels[0]["score"]:.1%}')
    numbers = (_number(result.gmacs), result.frames_decoded,
               f'{sum(result.milliseconds.values()):.0f}')
    return (f'<tr><th scope="row"><a href="#video-{number}">{name}</a></th>'
            + ''.join(f'<td>{cell}</td>' for cell in (*cells, *numbers)) + '</tr>\n')


def _video(number: int, result: VideoResult, folder: Path, preload: str) -> str:
    """One video's part."""
    is_file = os.path.isfile(result.filename)
    player = '<p class="note">The file is not there any more.</p>'
    if is_file:
        player = (f'<video controls preload="{preload}" src="{_url(result.filename, folder)}" '
                  f'aria-label="{escape(result.filename)}"></video>\n<p class="note" hidden>This '
                  'browser cannot play the file. Pictures and numbers do not depend on it.</p>')
    pictures = windows = ''
    if is_file:
        try:
            pictures = _frames(result)
            windows = _windows(result)
        except Exception as error:  # the file may have changed since, in any way
            pictures += ('<p class="note">Its pictures or sound could not be read again: '
                         f'{escape(describe(error))}</p>')
    return (f'<article id="video-{number}"><h2>{escape(result.filename)}</h2>\n'
            f'<div class="columns"><div>{player}\n{_timeline(result, windows)}</div>\n'
            f'<div>{_scores(result)}{_spent(result)}</div></div>\n{pictures}</article>\n')


def _scores(result: VideoResult) -> str:
    rows = ''.join(
        f'<tr><th scope="row">{escape(label["name"])}</th><td><meter value="{label["score"]:.4f}">'
        f'</meter></td><td>{label["score"]:.1%}</td></tr>\n' for label in result.labels)
    return f'<table class="scores"><caption>Scores</caption><tbody>{rows}</tbody></table>\n'


def _spent(result: VideoResult) -> str:
    frames = str(result.frames_decoded)
    if result.saliency:
        frames += f' of {len(result.saliency)} sampled'
    rows = {'GMACs': _number(result.gmacs), 'Frames read': frames}
    if result.exit_step is not None:
        rows['Early exit'] = f'after {result.exit_step} frames'
    rows |= {f'{name}, ms': f'{ms:.1f}' for name, ms in result.milliseconds.items()}
    rows['Length'] = f'{_number(result.duration_seconds)} s'
    rows['Sound'] = 'yes' if result.has_audio else 'none'
    cells = ''.join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n'
                    for name, value in rows.items())
    return f'<table class="spent"><caption>Spent</caption><tbody>{cells}</tbody></table>\n'


def _timeline(result: VideoResult, windows: str) -> str:
    """Saliency over time; each point is a button that makes the player jump there."""
    ranks = {}
    for rank, frame in enumerate(result.frames, start=1):
        ranks.setdefault(frame['seconds'], rank)
    points = [(point['seconds'], point['score']) for point in result.saliency]
    # A method without saliency still says when it looked.
    points = points or [(seconds, None) for seconds in sorted(ranks)]
    if not points:
        return ''
    duration = max(result.duration_seconds or 0, points[-1][0]) or 1
    scores = [score for _, score in points if score is not None]
    low, high = min([0, *scores]), max([1, *scores])
    places = [(seconds / duration, 0.5 if score is None else (high - score) / (high - low))
              for seconds, score in points]
    curve = ' '.join(f'{x * _WIDTH:.1f},{y * _CURVE:.1f}' for x, y in places) if scores else ''
    height = _CURVE + (_SOUND if windows else 0)
    buttons = ''
    for i, ((seconds, score), (x, y)) in enumerate(zip(points, places)):
        label = f'{seconds:.2f} s' + ('' if score is None else f', saliency {score:.3f}')
        if seconds in ranks:
            label += f', looked at closely, number {ranks[seconds]}'
        buttons += (f'<button type="button" class="point{" chosen" * (seconds in ranks)}" '
                    f'data-seconds="{seconds:.6g}" '
                    f'style="left:{x:.2%};top:{y * _CURVE / height:.2%}" '
                    f'tabindex="{0 if i == 0 else -1}" aria-label="{label}" title="{label}">'
                    f'{ranks.get(seconds, "")}</button>\n')
    return (f'<h3>{"Saliency" if scores else "Frames looked at"} over {duration:.3g} s</h3>\n'
            f'<div class="timeline" role="group" data-duration="{duration:.6g}" aria-label="Points '
            'in time. Arrow keys: from one to the next; Enter: the video jumps there">\n'
            f'<svg viewBox="0 0 {_WIDTH} {height}" aria-hidden="true"><polyline points="{curve}"/>'
            f'{windows}</svg>\n<div class="now" hidden></div>\n{buttons}</div>\n')


def _windows(result: VideoResult) -> str:
    """The sound that was heard: log-mel spectrograms where their windows lie in time."""
    times = [point['seconds'] for point in result.saliency]
    if not result.has_audio or not times or not result.duration_seconds:
        return ''
    heard = LogMel()(DecodeAudio()(dict(
        filename=result.filename, frame_times=np.array(times), has_audio=True,
        audio_reader=AudioReader(result.filename))))['audios'][:, 0]
    low, high = heard.min(), heard.max()
    images = ''
    for seconds, window in zip(times, window_middles(heard, result.duration_seconds)):
        grey = (255 * (window.T[::-1] - low) / max(high - low, 1e-6)).astype(np.uint8)
        width = len(window) * HOP_SECONDS
        images += (
            f'<image x="{(seconds - width / 2) / result.duration_seconds * _WIDTH:.1f}" '
            f'y="{_CURVE + 4}" width="{width / result.duration_seconds * _WIDTH:.1f}" '
            f'height="{_SOUND - 4}" preserveAspectRatio="none" '
            f'href="{_jpeg(cv2.applyColorMap(grey, cv2.COLORMAP_MAGMA))}"/>\n')
    return images


def _frames(result: VideoResult) -> str:
    """The frames that were looked at closely, with their patches, as buttons of the player."""
    if not result.frames:
        return ''
    reader = VideoReader(result.filename)
    try:
        images = reader.get_frames([frame['index'] for frame in result.frames])
    finally:
        reader.close()
    items = ''
    for rank, (frame, image) in enumerate(zip(result.frames, images), start=1):
        height, width = image.shape[:2]
        patch = ''
        if frame.get('box'):
            left, top, right, bottom = frame['box']
            patch = ('<i class="patch" '
                     f'style="left:{left / width:.2%};top:{top / height:.2%};'
                     f'width:{(right - left) / width:.2%};height:{(bottom - top) / height:.2%}">'
                     '</i>')
        scale = min(1, FRAME_WIDTH / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        label = f'{frame["seconds"]:.2f} s'
        items += (
            f'<li><button type="button" data-seconds="{frame["seconds"]:.6g}">'
            f'<span class="frame"><img src="{_jpeg(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))}" '
            f'width="{size[0]}" height="{size[1]}" alt="Frame at {label}, number {rank}">{patch}'
            f'</span>{rank}. {label}</button></li>\n')
    return f'<h3>Frames looked at closely, in that order</h3>\n<ol class="frames">{items}</ol>\n'


def _jpeg(image: np.ndarray) -> str:
    """A BGR picture as a URL that holds it."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()


def _url(filename: str, folder: Path) -> str:
    """Where a file lies seen from a folder, or absolutely where no relative path leads there."""
    try:
        relative = Path(os.path.relpath(filename, folder))
    except ValueError:  # on another drive
        return escape(Path(filename).absolute().as_uri())
    # Bytes, because a file name need not be text; a quoted colon makes no scheme.
    return escape(quote(os.fsencode(relative.as_posix())))


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.3g}'
