"""Read one file as training and testing do, in a process of its own that may crash or hang."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from avgn_mm.datasets.transforms import MediaReadError

NUM_FRAMES = 8
# Beyond what the process holds at its start; a file that asks for more is refused, not served.
MEMORY_BYTES = 4 << 30
DECODE = [
    dict(type='SampleFrameTimes', num_frames=NUM_FRAMES, test_mode=True),
    dict(type='DecodeFrames'),
    dict(type='DecodeAudio'),
]
FORMAT = [
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='LogMel'),
    dict(type='PackActionInputs', collect_keys=('imgs', 'audios')),
]


@dataclass
class Outcome:
    """How reading a file ended.

    Attributes:
        kind (str): 'read', 'error' (the one class of errors that readers raise), or a fault:
            'exception' (any other), 'crash', 'hang', 'leak', 'garbage'.
        detail (str): Of errors and faults.
        result (dict, optional): What was read.
        seconds (float): Wall time.
    """
    kind: str
    detail: str = ''
    result: dict | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        return f'{self.kind}: {self.detail}' if self.detail else self.kind


def read_file(path: str, backend: str = 'auto', meanwhile: Callable | None = None) -> dict:
    """Take a file through the paper's test pipeline.

    Args:
        path (str): The file.
        backend (str): Of ``AVInit``.
        meanwhile (Callable, optional): Called once the file is open.

    Returns:
        dict: ``times`` (n,) of all frames; ``inds``, ``imgs``, ``waveforms`` of those sampled;
        ``has_audio``; and ``imgs_shape``, ``audios_shape`` of what a model would get.

    Raises:
        MediaReadError: If the file cannot be read.
    """
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        init, decode, pack = Compose([dict(type='AVInit', backend=backend)]), Compose(DECODE), \
            Compose(FORMAT)
    results = init(dict(filename=path, label=0))
    times = results['video_reader'].times
    if meanwhile is not None:
        meanwhile()
    results = decode(results)
    read = dict(times=times, inds=results['frame_inds'], imgs=list(results['imgs']),
                waveforms=results['waveforms'].copy(), has_audio=results['has_audio'])
    inputs = pack(results)['inputs']
    if not np.isfinite(read['waveforms']).all() or not inputs['audios'].isfinite().all():
        raise ArithmeticError('the sound is not finite')
    return dict(read, imgs_shape=tuple(inputs['imgs'].shape),
                audios_shape=tuple(inputs['audios'].shape))


def in_a_child(function: Callable[[], dict], *, seconds: float, user: int | None = None
               ) -> Outcome:
    """Run a function in a forked process: a crash, a hang or a leak there is an outcome here.

    Args:
        function (Callable): Reads a file.
        seconds (float): The deadline, after which the process is killed.
        user (int, optional): Let the process be this user.
    """
    context = multiprocessing.get_context('fork')
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there, function, user), daemon=True)
    start = time.perf_counter()
    process.start()
    there.close()
    try:
        outcome = here.recv() if here.poll(seconds) else Outcome('hang', f'{seconds:g} s are over')
    except EOFError:
        process.join()
        outcome = Outcome('crash', f'exit code {process.exitcode}')
    outcome.seconds = time.perf_counter() - start
    if outcome.kind == 'hang':
        process.kill()
    process.join()
    process.close()
    here.close()
    return outcome


def _child(pipe: 'multiprocessing.connection.Connection', function: Callable[[], dict],
           user: int | None) -> None:
    # Decoders talk on the error stream; only what is raised counts here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, resource.RLIM_INFINITY))
    if user is not None:
        os.seteuid(user)
    before = _open_files()
    try:
        outcome = Outcome('read', result=function())
    except MediaReadError as error:
        outcome = Outcome('error', str(error))
    except BaseException as error:
        outcome = Outcome('exception', f'{type(error).__name__}: {error}')
    # Without gc.collect(): what waits for it adds up until it comes.
    leaked = _open_files() - before
    if leaked:
        outcome = Outcome('leak', f'{leaked} open files after: {outcome}')
    pipe.send(outcome)
    pipe.close()


def _open_files() -> int:
    return len(os.listdir('/proc/self/fd'))
