"""Which file each worker process is reading, for the one that asks when a worker has died.

A worker that the system kills for its memory, or that crashes in a decoder, cannot say itself what
it was at. Workers are forked from the process that imports this module and write into memory that
they share with it; workers that are spawned leave no trace.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator

from torch.utils.data import get_worker_info

# Neighbouring process ids have slots of their own.
_NUM_SLOTS, _SLOT_BYTES = 509, 1024
_SHARED = mmap.mmap(-1, _NUM_SLOTS * _SLOT_BYTES)


@contextlib.contextmanager
def now_reading(filename: str) -> Iterator[None]:
    """Note in a worker process what it reads while the context lasts."""
    if get_worker_info() is None:
        yield
        return
    _write(filename)
    try:
        yield
    finally:
        _write('')


def read_by(pid: int) -> str | None:
    """What a worker process is reading, or was when it died; None if nothing is known of it."""
    start = pid % _NUM_SLOTS * _SLOT_BYTES
    slot = _SHARED[start:start + _SLOT_BYTES]
    if int.from_bytes(slot[:8], 'little') != pid:
        return None
    return slot[8:].split(b'\0', 1)[0].decode(errors='replace') or None


def _write(filename: str) -> None:
    pid = os.getpid()
    # The end of a long path tells more than its beginning.
    name = os.fsencode(filename)[-(_SLOT_BYTES - 9):]
    start = pid % _NUM_SLOTS * _SLOT_BYTES
    _SHARED[start:start + _SLOT_BYTES] = (pid.to_bytes(8, 'little') + name).ljust(
        _SLOT_BYTES, b'\0')
