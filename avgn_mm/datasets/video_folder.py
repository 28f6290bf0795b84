"""The media files below a folder, by the id in their names, and whether they can be read."""

import os
import os.path as osp
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from mmengine.utils import ProgressBar

from .annotation_lists import MEDIA_SUFFIXES, video_id
from .transforms.video_reader import MediaReadError, VideoReader

# Files that one pool of processes probes before the next one, see `probe_files`.
_CHUNK = 64


@dataclass(frozen=True)
class Probe:
    """What a file holds: ``error`` says why it cannot be read."""
    num_frames: int = 0
    seconds: float = 0.0
    container_seconds: float = 0.0
    has_audio: bool = False
    error: str | None = None


def probe(path: str) -> Probe:
    """Read a file's index and its first frame. Never raises: what is wrong stands in the result."""
    try:
        reader = VideoReader(path, backend='pyav')
        try:
            reader.get_frames([0])
            return Probe(len(reader.times), reader.duration_seconds, reader.container_seconds,
                         reader.has_audio)
        finally:
            reader.close()
    except MediaReadError as error:
        return Probe(error=str(error))
    except Exception as error:  # one odd file among thousands must not end the work
        return Probe(error=f'{type(error).__name__}: {error}')


def _probe_alone(path: str) -> Probe:
    with ProcessPoolExecutor(1) as pool:
        try:
            return pool.submit(probe, path).result()
        except BrokenProcessPool:
            return Probe(error=f'decoding {path} crashes the process')


def probe_files(paths: Sequence[str], workers: int) -> Iterator[Probe]:
    """Probe files in parallel processes, or in this one with ``workers=0``.

    A file that crashes its process takes the pool along; each file of that chunk is then probed
    in a process of its own, which finds the culprit.

    Yields:
        Probe: Of each path, in order.
    """
    if workers == 0:
        yield from map(probe, paths)
        return
    size = _CHUNK * workers
    pool = ProcessPoolExecutor(workers)
    try:
        for start in range(0, len(paths), size):
            chunk = paths[start:start + size]
            try:
                probes = list(pool.map(probe, chunk))
            except BrokenProcessPool:
                probes = [_probe_alone(path) for path in chunk]
                pool = ProcessPoolExecutor(workers)
            yield from probes
    finally:
        pool.shutdown()


class VideoFolder:
    """The media files below a folder, by id.

    Args:
        folder (str): Searched through, links to folders included.

    Attributes:
        files: Paths relative to the folder, with '/', of each id; .mp4 first.

    Raises:
        NotADirectoryError: If there is no such folder.
    """

    def __init__(self, folder: str) -> None:
        if not osp.isdir(folder):
            raise NotADirectoryError(f'there is no folder {folder}; --videos names that of the '
                                     'video files')
        self.folder = folder
        self.files: dict[str, list[str]] = {}
        for path in self._walk():
            self.files.setdefault(video_id(path), []).append(path)
        for paths in self.files.values():
            paths.sort(key=lambda path: (not path.lower().endswith('.mp4'), path))
        # Lists that go back to AR-Net's lost every "v_", also those within an id.
        self._shortened: dict[str, list[str]] = {}
        for name in self.files:
            if 'v_' in name:
                self._shortened.setdefault(name.replace('v_', ''), []).append(name)

    def _walk(self) -> Iterator[str]:
        seen = set()
        for root, folders, names in os.walk(self.folder, followlinks=True):
            seen.add(osp.realpath(root))
            # sorted: the same tree gives the same lists; a link may lead back up
            folders[:] = sorted(name for name in folders
                                if osp.realpath(osp.join(root, name)) not in seen)
            for name in sorted(names):
                if name.lower().endswith(MEDIA_SUFFIXES) and not name.startswith('.'):
                    yield osp.relpath(osp.join(root, name), self.folder).replace(os.sep, '/')

    def find(self, name: str) -> str | None:
        """The id under which a listed video is here, None if it is not."""
        if name in self.files:
            return name
        candidates = self._shortened.get(name, ()) if len(name) < 11 else ()
        return candidates[0] if len(candidates) == 1 else None

    def probe(self, paths: Sequence[str], workers: int) -> dict[str, Probe]:
        """Probe files, showing a progress bar on the error stream."""
        bar = ProgressBar(len(paths), file=sys.stderr) if paths else None
        probes = {}
        full = [osp.join(self.folder, path) for path in paths]
        for path, found in zip(paths, probe_files(full, workers)):
            if not _can_be_listed(path):
                found = Probe(error=f'{path!r} cannot stand in a list: rename it')
            probes[path] = found
            bar.update()
        if bar is not None:
            sys.stderr.write('\n')
        return probes


def _can_be_listed(path: str) -> bool:
    """Whether a line of a text file can hold a path: blanks within are fine, those around not."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return path == path.strip() and len(path.splitlines()) == 1
