"""The list of files that could not be read, which all processes of a run write together."""

import contextlib
import fcntl
import json
import os

FILENAME = 'bad_files.jsonl'


class BadFiles:
    """The unreadable files of one annotation list.

    A record is a line, a JSON object of ``list``, ``filename`` and ``reason``. Processes of one or
    many machines append to the same file. Each reads what the others have written before it writes,
    and writes a line by a single call, under a lock where the file system has one; without one, a
    file that two processes meet at the same moment may stand there twice, and counts once.

    Args:
        ann_file (str): The annotation list that names the files.
        path (str, optional): Where the records are. Defaults to None: only in memory.
    """

    def __init__(self, ann_file: str, path: str | None = None) -> None:
        self.ann_file = ann_file
        self.path = path
        self.reasons: dict[str, str] = {}
        self._read_bytes = 0

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, filename: str, reason: str) -> bool:
        """Record a file.

        Returns:
            bool: Whether no process had recorded it before.
        """
        if filename in self.reasons:
            return False
        if self.path is None:
            self.reasons[filename] = reason
            return True
        with _locked(self.path) as descriptor:
            self._read(descriptor)
            if filename in self.reasons:
                return False
            self.reasons[filename] = reason
            record = dict(list=self.ann_file, filename=filename, reason=reason)
            os.write(descriptor, json.dumps(record).encode() + b'\n')
            return True

    def forget(self) -> None:
        """Drop the records of this list, and of no other, before its files are read anew."""
        self.reasons.clear()
        if self.path is None or not os.path.exists(self.path):
            return
        with _locked(self.path) as descriptor:
            kept = [record for record in _parse(_read_all(descriptor))
                    if record['list'] != self.ann_file]
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b''.join(json.dumps(each).encode() + b'\n' for each in kept))
        self._read_bytes = 0

    def _read(self, descriptor: int) -> None:
        """Take in what was written since the last time."""
        data = _read_all(descriptor, self._read_bytes)
        if data and not data.endswith(b'\n'):  # a process was killed while it wrote
            os.write(descriptor, b'\n')
            data += b'\n'
        self._read_bytes += len(data)
        for record in _parse(data):
            if record['list'] == self.ann_file:
                self.reasons.setdefault(record['filename'], record['reason'])


def read_bad_files(path: str) -> list[dict]:
    """All records of a file, each list and filename once.

    Returns:
        list[dict]: ``list``, ``filename`` and ``reason``.
    """
    with open(path, 'rb') as file:
        records = {(record['list'], record['filename']): record for record in _parse(file.read())}
    return list(records.values())


@contextlib.contextmanager
def _locked(path: str):
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, start: int = 0) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size - start, start) if size > start else b''


def _parse(data: bytes) -> list[dict]:
    """The records; a line that was cut off by a kill is none."""
    records = []
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and {'list', 'filename', 'reason'} <= record.keys():
                records.append(record)
    return records
