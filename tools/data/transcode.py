"""Re-encode a folder of videos, small and quick to seek in, once for all trainings.

Usage::

    python tools/data/transcode.py SOURCE DEST --workers 16
    python tools/data/transcode.py SOURCE DEST --shard $SLURM_ARRAY_TASK_ID/64  # --array=1-64

SOURCE/a/b.mkv becomes DEST/a/b.mp4: H.264 whose short side has at most 256 pixels, upright, 8 bit,
in short closed groups of pictures without B-frames, so that any frame is a few frames from a
keyframe; the frames' own times, from the first one on; 16 kHz mono AAC where there is sound.

A file gets its name only when it is complete, decodes from end to end and is on the disk: a run
that was stopped, however it was, is simply started again. Files that cannot be converted are listed
in DEST/problems-I-of-N.jsonl and never stop the others. Nothing but PyAV is needed.
"""

import argparse
import contextlib
import errno
import fcntl
import itertools
import json
import multiprocessing
import os
import signal
import stat
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from multiprocessing.connection import Connection, wait
from pathlib import Path

import av
from av.filter import Graph
from av.stream import Disposition

SUFFIXES = {'.3gp', '.asf', '.avi', '.flv', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg',
            '.mpg', '.mts', '.ogv', '.ts', '.vob', '.webm', '.wmv'}
SAMPLE_RATE = 16000
PLAYLISTS = {'concat', 'concatf', 'dash', 'hls', 'imf', 'sdp'}
MAX_PIXELS = 2**26  # a few bytes can claim a picture that no memory holds
# A track that ends so much earlier than the file says was cut off.
LOST_SECONDS = 1.0
# AAC's priming and padding.
AUDIO_SLACK = 2 * 1024
# Of the disk that is written to: no other file would fare better.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
LIMITED_RANGE = 1  # of colours, in FFmpeg's numbers


class TranscodeError(RuntimeError):
    """A file cannot be converted; the message says why."""


@dataclass(frozen=True)
class Settings:
    """What all files of a folder have in common."""
    short_side: int
    gop: int
    crf: int


# ------------------------------------------------------------------------------------ one file


class VideoTrack:
    """Turns, scales and encodes decoded frames.

    Args:
        output (OutputContainer): Where the packets go.
        source (VideoStream): Of the input.
        first (VideoFrame): The first frame, which says the size.
        settings (Settings): Size, groups of pictures, quality.
    """

    def __init__(self, output: 'av.container.OutputContainer', source: 'av.VideoStream',
                 first: 'av.VideoFrame', settings: Settings) -> None:
        self.output, self.source = output, source
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        if not 1 <= rate <= 240:  # guessed from a handful of stamps
            rate = Fraction(25)
        self.time_base = source.time_base
        if max(self.time_base.numerator, self.time_base.denominator) > 10**6:
            self.time_base = Fraction(1, 90000)  # MP4 and x264 count in 32 bits
        self.step = max(1, round(1 / (rate * self.time_base)))
        self.start = frame_seconds(first, source) or Fraction(0)
        self.last: int | None = None
        self.num_frames = 0
        self.form = self.graph = None

        width, height, aspect = first.width, first.height, source.sample_aspect_ratio
        if quarter_turns(first) % 2:
            width, height = height, width
            aspect = 1 / aspect if aspect else None
        scale = min(1, settings.short_side / min(width, height))
        self.stream = output.add_stream('libx264', rate=rate, options=dict(
            preset='fast', crf=str(settings.crf), g=str(settings.gop), bf='0', flags='+cgop',
            threads='1'))
        codec = self.stream.codec_context
        # 4:2:0 wants even sides.
        codec.width, codec.height = (
            max(2, 2 * round(scale * side / 2)) for side in (width, height))
        codec.pix_fmt = 'yuv420p'
        codec.time_base = self.time_base
        codec.colorspace, codec.color_range = first.colorspace, LIMITED_RANGE
        if aspect:
            codec.sample_aspect_ratio = aspect

    def push(self, frame: 'av.VideoFrame') -> None:
        """Encode a frame."""
        seconds = frame_seconds(frame, self.source)
        stamp = None if seconds is None else round((seconds - self.start) / self.time_base)
        if self.last is None:
            stamp = 0
        elif stamp is None or stamp <= self.last:
            stamp = self.last + self.step  # none, repeated, or of a clock that was set back
        form = (frame.width, frame.height, frame.format.name, quarter_turns(frame))
        if form != self.form:
            self.form, self.graph = form, self._filters(frame)
        self.graph.push(frame)
        small = self.graph.pull()
        small.pts, small.time_base = stamp, self.time_base
        small.pict_type = 0  # where the source has its keyframes is nothing to the encoder
        self.output.mux(self.stream.encode(small))
        self.last = stamp
        self.num_frames += 1

    def _filters(self, frame: 'av.VideoFrame') -> Graph:
        turns = [[], [('transpose', 'cclock')], [('hflip', ''), ('vflip', '')],
                 [('transpose', 'clock')]][quarter_turns(frame)]
        size = f'{self.stream.width}:{self.stream.height}'
        graph = Graph()
        graph.threads = 1
        nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                                  time_base=self.source.time_base)]
        nodes += [graph.add(*turn) for turn in turns]
        nodes += [graph.add('scale', f'{size}:flags=bicubic:out_range=tv'),
                  graph.add('format', 'yuv420p'), graph.add('buffersink')]
        graph.link_nodes(*nodes).configure()
        return graph

    def finish(self) -> None:
        """Encode what is left."""
        self.output.mux(self.stream.encode())

    @property
    def seconds(self) -> float:
        """When the last frame is shown."""
        return float((self.last or 0) * self.time_base)


class AudioTrack:
    """Resamples decoded sound to 16 kHz mono, without gaps and from the first frame on.

    Args:
        output (OutputContainer): Where the packets go.
        start (Fraction): Time of the first frame.
    """

    def __init__(self, output: 'av.container.OutputContainer', start: Fraction) -> None:
        self.output, self.start = output, start
        self.stream = output.add_stream('aac', rate=SAMPLE_RATE, layout='mono')
        self.stream.bit_rate = 64000
        self.form = self.graph = None
        self.num_samples = 0

    def push(self, frame: 'av.AudioFrame') -> None:
        """Encode a frame; one without a time cannot be placed."""
        if frame.pts is None or not frame.samples:
            return
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self.form:
            self._drain()
            self.form, self.graph = form, self._filters(*form)
        frame.pts = round((frame.pts * frame.time_base - self.start) * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        self.graph.push(frame)
        self._encode()

    def _filters(self, sample_format: str, layout: str, rate: int) -> Graph:
        graph = Graph()
        graph.threads = 1
        # Gaps become silence, overlaps are cut. An integer format, unlike a float one, makes the
        # down-mix of several channels as loud as they are.
        graph.link_nodes(
            graph.add_abuffer(sample_rate=rate, format=sample_format, layout=layout,
                              time_base=Fraction(1, rate)),
            graph.add('aresample', f'{SAMPLE_RATE}:async=1:min_hard_comp=0.02:'
                      f'first_pts={self.num_samples}:ochl=mono:osf=s32p'),
            graph.add('aformat', 'sample_fmts=fltp'), graph.add('abuffersink')).configure()
        return graph

    def _drain(self) -> None:
        if self.graph is not None:
            self.graph.push(None)
            self._encode()

    def _encode(self) -> None:
        while True:
            try:
                frame = self.graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            frame.pts, frame.time_base = self.num_samples, Fraction(1, SAMPLE_RATE)
            self.num_samples += frame.samples
            self.output.mux(self.stream.encode(frame))

    def finish(self) -> None:
        """Encode what is left."""
        self._drain()
        self.output.mux(self.stream.encode())


def quarter_turns(frame: 'av.VideoFrame') -> int:
    """How often a frame must be turned by 90 degrees, counter-clockwise, to be upright."""
    return round(frame.rotation / 90) % 4


def frame_seconds(frame: 'av.VideoFrame', stream: 'av.VideoStream') -> Fraction | None:
    """When a frame is shown."""
    # AVI stores no presentation times; what is guessed for B-frames can run backwards.
    stamp = frame.dts if stream.container.format.name == 'avi' else frame.pts
    stamp = frame.pts if stamp is None else stamp
    return None if stamp is None else stamp * stream.time_base


def open_tracks(filename: str) -> tuple['av.container.InputContainer', list]:
    """Open a file; its best video track and, if there is one, its best audio track.

    Raises:
        TranscodeError: If it is not a plain file, or leads to others.
        av.FFmpegError, OSError: If it cannot be opened.
    """
    if not stat.S_ISREG(os.stat(filename).st_mode):
        raise TranscodeError('it is not a regular file')
    # Its name is no URL, and what it holds leads to none.
    container = av.open(os.path.abspath(filename), metadata_errors='replace',
                        options=dict(protocol_whitelist='file', max_pixels=str(MAX_PIXELS)))
    if PLAYLISTS.intersection(container.format.name.split(',')):
        container.close()
        raise TranscodeError('it is a playlist of other files')
    streams = [container.streams.best(kind) for kind in ('video', 'audio')]
    streams = [stream for stream in streams
               if stream is not None and stream.codec_context is not None
               and not stream.disposition & Disposition.attached_pic]  # the cover of a record
    for stream in streams:
        stream.codec_context.thread_count = 1
    return container, streams


def decoded(container: 'av.container.InputContainer', streams: Sequence) -> Iterator:
    """Frames and sound in the file's order, and None for each piece that does not decode."""
    try:
        for packet in container.demux(streams):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                yield None
            else:
                yield from frames
    except av.FFmpegError:  # the file ends early
        yield None


def first_of(filename: str, kind: str) -> 'av.VideoFrame | av.AudioFrame | None':
    """The first thing that can be decoded of a kind of track."""
    container, streams = open_tracks(filename)
    with container:
        chosen = [stream for stream in streams if stream.type == kind]
        return next(filter(None, decoded(container, chosen)), None) if chosen else None


def convert(source: str, temporary: str, settings: Settings) -> dict:
    """Write a file, without looking at it afterwards.

    Args:
        source (str): Video.
        temporary (str): MP4 to write.
        settings (Settings): How.

    Returns:
        dict: ``num_frames``, ``seconds`` (when the last frame is shown), ``num_samples`` (of
        sound; None without) and ``warnings``.

    Raises:
        TranscodeError: If no frame can be decoded.
    """
    # All tracks must be there before the first packet is written.
    first, sound = first_of(source, 'video'), first_of(source, 'audio')
    if first is None:
        raise TranscodeError('no video frame can be decoded')
    container, streams = open_tracks(source)
    damaged = 0
    with container, av.open(temporary, 'w', format='mp4',
                            options=dict(movflags='+faststart')) as output:
        video = VideoTrack(output, streams[0], first, settings)
        audio = None if sound is None else AudioTrack(output, video.start)
        warnings = ['no sound of its audio track can be decoded'] * (
            audio is None and len(streams) > 1)
        stated = float((streams[0].duration or 0) * streams[0].time_base)
        for frame in decoded(container, streams[:2 if audio else 1]):
            if frame is None:
                damaged += 1
            elif isinstance(frame, av.VideoFrame):
                video.push(frame)
            else:
                audio.push(frame)
        video.finish()
        if audio is not None:
            audio.finish()
    if damaged:
        warnings.append(f'{damaged} damaged pieces were left out')
    if stated - video.seconds - float(video.step * video.time_base) > LOST_SECONDS:
        warnings.append(f'its last frame is at {video.seconds:.1f} s of {stated:.1f} s')
    return dict(num_frames=video.num_frames, seconds=video.seconds,
                num_samples=audio and audio.num_samples, warnings=warnings)


def check(filename: str, settings: Settings, written: dict | None = None) -> None:
    """Decode a converted file from end to end.

    Args:
        filename (str): MP4.
        settings (Settings): What it was written with.
        written (dict, optional): What :func:`convert` returned for it.

    Raises:
        TranscodeError: If it is not what it should be.
    """
    num_frames = num_samples = since_key = seconds = 0
    longest = 0
    container, streams = open_tracks(filename)
    with container:
        for frame in decoded(container, streams):
            if frame is None:
                raise TranscodeError('what was written does not decode')
            if isinstance(frame, av.VideoFrame):
                num_frames += 1
                since_key = 1 if frame.key_frame else since_key + 1
                longest = max(longest, since_key)
                seconds = frame.time
            else:
                num_samples += frame.samples
    if not num_frames or longest > settings.gop:
        raise TranscodeError(f'{num_frames} frames were written, groups of up to {longest}')
    if written is None:
        return
    if num_frames != written['num_frames'] or abs(seconds - written['seconds']) > 2e-3:
        raise TranscodeError(f'{num_frames} frames up to {seconds:.3f} s were written instead of '
                             f'{written["num_frames"]} up to {written["seconds"]:.3f} s')
    if (written['num_samples'] is not None) != (len(streams) > 1) or abs(
            num_samples - (written['num_samples'] or 0)) > AUDIO_SLACK:
        raise TranscodeError(f'{num_samples} samples of sound were written instead of '
                             f'{written["num_samples"]}')


def temporary_of(target: Path) -> Path:
    """Where this process writes a file before it has its name; in the same folder."""
    return target.with_name(f'.{target.name}.{os.getpid()}.part')


def transcode(source: Path, target: Path, settings: Settings) -> dict:
    """Convert one file; ``target`` appears complete, checked and on the disk, or not at all.

    Returns:
        dict: As of :func:`convert`.

    Raises:
        TranscodeError: If it cannot be done.
        av.FFmpegError, OSError: If the file cannot be read or written.
    """
    temporary = temporary_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        written = convert(str(source), str(temporary), settings)
        check(str(temporary), settings, written)
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return written


# ----------------------------------------------------------------------------------- many files


def work(connection: Connection, settings: Settings) -> None:
    """Convert the files that a connection names; ends with the process at its other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    av.logging.set_level(None)

    def leave() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
    while True:
        job = connection.recv()
        try:
            outcome = run(job, settings)
        except Exception as error:  # whatever a file does to FFmpeg, the next one waits
            outcome = dict(error=str(getattr(error, 'strerror', None) or error)
                           or type(error).__name__)
            if getattr(error, 'errno', None) in DISK_ERRORS:
                outcome['fatal'] = True
        connection.send(outcome)


def run(job: 'Job', settings: Settings) -> dict:
    """Convert a file, or look whether what is there is still good."""
    if job.recheck:
        try:
            check(str(job.target), settings)
            return dict(kept=True)
        except (TranscodeError, av.FFmpegError):
            pass
    return transcode(job.source, job.target, settings)


@dataclass(frozen=True)
class Job:
    """A file to convert; with ``recheck`` only if what stands at the target is not good."""
    name: str
    source: Path
    target: Path
    recheck: bool = False


class Worker:
    """A process that converts one file at a time; a file that kills it costs no other one.

    Args:
        settings (Settings): Of all files.
        timeout (float): Seconds that a file may take.
    """

    def __init__(self, settings: Settings, timeout: float) -> None:
        self.settings, self.timeout = settings, timeout
        self._start()

    def _start(self) -> None:
        # Not forked: a fork would hold the other workers' pipes, and nobody would see them close.
        context = multiprocessing.get_context('spawn')
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.settings), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        """Start a file."""
        if not self.process.is_alive():
            self._start()
        self.job, self.deadline = job, time.monotonic() + self.timeout
        self.connection.send(job)

    def outcome(self) -> dict | None:
        """What came of the file: as of :func:`convert`, or ``error``; None while it is at work."""
        if self.connection.poll():
            try:
                return self.connection.recv()
            except EOFError:
                self.process.join()
                return dict(error='decoding it ended the process, with exit code '
                                  f'{self.process.exitcode}')
        if time.monotonic() > self.deadline:
            self.stop()
            return dict(error=f'it took longer than {self.timeout:g} s (--timeout)')
        return None

    def stop(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()


def run_all(jobs: Sequence[Job], settings: Settings, num_workers: int, timeout: float
            ) -> Iterator[tuple[Job, dict]]:
    """Convert files in processes; yields each with its outcome as it is done."""
    waiting = iter(jobs)
    busy: list[Worker] = []
    try:
        for job in itertools.islice(waiting, num_workers):
            busy.append(Worker(settings, timeout))
            busy[-1].give(job)
        while busy:
            wait([worker.connection for worker in busy], timeout=1)
            for worker in list(busy):
                outcome = worker.outcome()
                if outcome is None:
                    continue
                yield worker.job, outcome
                job = next(waiting, None)
                if job is None:
                    busy.remove(worker)
                    worker.stop()
                else:
                    worker.give(job)
    finally:
        for worker in busy:
            worker.stop()


def find_jobs(source: Path, dest: Path, recheck: bool) -> tuple[list[Job], list[dict], int]:
    """What is to be done.

    Args:
        source (Path): Folder of videos.
        dest (Path): Folder of converted ones.
        recheck (bool): Whether to decode those that are there already.

    Returns:
        tuple[list[Job], list[dict], int]: Jobs; problems, of files that would get the same name;
        how many files need nothing.
    """
    jobs, problems, num_done = [], [], 0
    taken: dict[Path, str] = {}
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() not in SUFFIXES or name.startswith('.'):
                continue
            relative = path.relative_to(source)
            target = dest / relative.with_suffix('.mp4')
            other = taken.setdefault(target, str(relative))
            if other != str(relative):
                problems.append(dict(file=str(relative),
                                     error=f'would get the same name as {other}'))
                continue
            # A broken link is a job, whose error will say so.
            done = target.exists() and (
                not path.exists() or path.stat().st_mtime <= target.stat().st_mtime)
            num_done += done and not recheck
            if recheck or not done:
                jobs.append(Job(str(relative), path, target, recheck=done))
    return jobs, problems, num_done


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help='folder of videos, at any depth')
    parser.add_argument('dest', type=Path, help='folder to write to')
    parser.add_argument('--short-side', type=int, default=256, help='pixels at most; even')
    parser.add_argument('--gop', type=int, default=16, help='frames from keyframe to keyframe')
    parser.add_argument('--crf', type=int, default=20, help='quality of x264; less is better')
    parser.add_argument('--workers', type=int, default=len(os.sched_getaffinity(0)),
                        help='processes; by default one for each processor')
    parser.add_argument('--shard', default='1/1', metavar='I/N',
                        help='the I-th of N parts, from 1/N to N/N; by the names of the files')
    parser.add_argument('--timeout', type=float, default=3600, help='seconds that a file may take')
    parser.add_argument('--recheck', action='store_true',
                        help='decode what is there already, and do it again where it is damaged')
    args = parser.parse_args(argv)
    try:
        args.shard, args.num_shards = (int(part) for part in args.shard.split('/'))
    except ValueError:
        parser.error(f'--shard wants I/N, for example 3/64, got {args.shard}')
    if not 1 <= args.shard <= args.num_shards:
        parser.error(f'--shard counts from 1 to N, got {args.shard}/{args.num_shards}')
    if args.short_side < 2 or args.short_side % 2 or args.gop < 1 or args.workers < 1:
        parser.error('--short-side must be even and at least 2, --gop and --workers at least 1')
    if not args.source.is_dir():
        parser.error(f'{args.source} is no folder')
    source, dest = args.source.resolve(), args.dest.resolve()
    if dest == source or source in dest.parents:
        parser.error(f'{args.dest} lies in {args.source}: its files would be converted again')
    return args


def claim(args: argparse.Namespace) -> object:
    """Make sure that nobody else does this, and that all files are made with the same settings.

    Returns:
        object: The lock; it holds as long as it lives.
    """
    lock = open(args.dest / f'.shard-{args.shard}-of-{args.num_shards}.lock', 'w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f'another run converts shard {args.shard}/{args.num_shards} into {args.dest}')
    wanted = asdict(Settings(args.short_side, args.gop, args.crf))
    path = args.dest / 'transcode.json'
    if not path.exists():
        temporary = temporary_of(path)
        temporary.write_text(json.dumps(wanted) + '\n')
        os.replace(temporary, path)
    found = json.loads(path.read_text())
    if found != wanted:
        sys.exit(f'{args.dest} holds files made with {found}, not with {wanted}: use these '
                 f'settings or another folder, or remove {path} to mix them')
    return lock


def earlier_warnings(path: Path, redone: set[str]) -> list[dict]:
    """What an earlier run said of files that this one does not touch."""
    kept = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:  # the run was stopped while it wrote this
            continue
        if 'warnings' in entry and entry['file'] not in redone:
            kept.append(entry)
    return kept


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    args.dest.mkdir(parents=True, exist_ok=True)
    lock = claim(args)

    def ours(name: str) -> bool:
        # By the name alone, so that files can be added while shards are at work.
        return zlib.crc32(os.fsencode(name)) % args.num_shards == args.shard - 1

    def remove_temporaries() -> None:
        for path in args.dest.rglob('.*.part'):
            target = path.with_name(path.name[1:].rsplit('.', 2)[0])
            if ours(str(target.relative_to(args.dest).with_suffix(''))):
                path.unlink(missing_ok=True)

    remove_temporaries()
    jobs, problems, num_done = find_jobs(args.source, args.dest, args.recheck)
    jobs = [job for job in jobs if ours(os.path.splitext(job.name)[0])]
    problems = [entry for entry in problems if ours(os.path.splitext(entry['file'])[0])]
    report = args.dest / f'problems-{args.shard}-of-{args.num_shards}.jsonl'
    num_failed = len(problems)
    problems += earlier_warnings(report, {job.name for job in jobs})
    print(f'{len(jobs)} files to convert, {num_done} are done in all shards', flush=True)
    settings = Settings(args.short_side, args.gop, args.crf)
    start = told = time.monotonic()
    try:
        outcomes = run_all(jobs, settings, args.workers, args.timeout)
        with open(report, 'w', buffering=1) as file, contextlib.closing(outcomes):
            file.writelines(json.dumps(entry) + '\n' for entry in problems)
            for number, (job, outcome) in enumerate(outcomes, 1):
                if outcome.get('fatal'):
                    sys.exit(f'cannot write {job.target}: {outcome["error"]}')
                num_failed += 'error' in outcome
                said = {key: outcome[key] for key in ('error', 'warnings') if outcome.get(key)}
                if said:
                    file.write(json.dumps(dict(file=job.name, **said)) + '\n')
                if time.monotonic() - told > 10:
                    told = time.monotonic()
                    print(f'{number}/{len(jobs)}, {num_failed} failed, about '
                          f'{(told - start) / number * (len(jobs) - number) / 60:.0f} minutes left',
                          flush=True)
    finally:
        remove_temporaries()
        lock.close()
    print(f'{len(jobs)} files in {time.monotonic() - start:.0f} s, {num_failed} failed'
          + (f'; see {report}' if report.stat().st_size else ''))


if __name__ == '__main__':
    main()
