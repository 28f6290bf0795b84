"""Make long, large videos of short, small ones: ``enlarge.py FOLDER --out FOLDER``.

For measuring speed: 1280x720, a minute or more, a keyframe every 250 frames (x264's default), as
files from the internet are. A clip is repeated until it is long enough, scaled, and covered with
grain, so that the decoder has as much to do as with filmed material.
"""

import argparse
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph

from avgn_mm.datasets.transforms.video_reader import MediaReadError, open_container


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Make long, large videos of short, small ones')
    parser.add_argument('folder', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--num', type=int, default=20, help='how many of its videos')
    parser.add_argument('--size', type=int, nargs=2, default=(1280, 720), metavar=('W', 'H'))
    parser.add_argument('--seconds', type=float, default=60, help='at least')
    parser.add_argument('--fps', type=int, default=25)
    parser.add_argument('--gop-frames', type=int, default=250)
    parser.add_argument('--grain', type=int, default=6, help="strength of FFmpeg's noise filter")
    return parser.parse_args()


def repeated(path: Path, kind: str, graph: Graph, seconds: float) -> Iterator[av.frame.Frame]:
    """Frames of a track, through a graph of filters, from the start again until it is enough."""
    time, base = 0.0, None
    while time < seconds:
        start, last = time, None
        with open_container(str(path)) as container:
            for frame in container.decode(**{kind: 0}):
                base = base or frame.time_base
                frame.pts, frame.time_base = round(start / base) + frame.pts, base
                last = frame
                graph.vpush(frame) if kind == 'video' else graph.push(frame)
                while True:
                    try:
                        yield graph.vpull() if kind == 'video' else graph.pull()
                    except (av.BlockingIOError, av.EOFError):
                        break
        if last is None:
            raise MediaReadError(f'{path} has no {kind} that can be decoded')
        time = last.time + float((last.duration or 1) * base)


def enlarge(source: Path, target: Path, args: argparse.Namespace) -> None:
    """Write one video; it appears under its name only once it is whole."""
    unfinished = target.with_name(f'{target.name}.part')
    with open_container(str(source)) as opened, av.open(str(unfinished), 'w', format='mp4') as out:
        picture = opened.streams.video[0]
        width, height = args.size
        graph = Graph()
        graph.link_nodes(
            graph.add_buffer(template=picture), graph.add('fps', str(args.fps)),
            graph.add('scale', f'{width}:{height}'),
            graph.add('noise', f'alls={args.grain}:allf=t:all_seed=1'),
            graph.add('format', 'yuv420p'), graph.add('buffersink')).configure()
        video = out.add_stream('libx264', rate=args.fps, options=dict(
            preset='veryfast', crf='23', g=str(args.gop_frames)))
        video.width, video.height = width, height
        sound = None
        if opened.streams.audio:
            track = opened.streams.audio[0]
            sound = out.add_stream('aac', rate=track.rate, layout='mono')
            resampler = av.AudioResampler('fltp', 'mono', track.rate)
        base = Fraction(1, args.fps)
        for index, frame in enumerate(repeated(source, 'video', graph, args.seconds)):
            frame.pts, frame.time_base, frame.pict_type = index, base, 0
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            through = Graph()
            through.link_nodes(through.add_abuffer(template=track),
                               through.add('abuffersink')).configure()
            position = 0
            for frame in repeated(source, 'audio', through, args.seconds):
                for piece in resampler.resample(frame):
                    piece.pts, piece.time_base = position, Fraction(1, track.rate)
                    position += piece.samples
                    out.mux(sound.encode(piece))
            out.mux(sound.encode(None))
    os.replace(unfinished, target)


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sources = sorted(path for path in args.folder.rglob('*') if path.suffix in ('.mp4', '.mkv'))
    for source in sources[:args.num]:
        target = args.out / f'{source.stem}.mp4'
        if not target.exists():
            enlarge(source, target, args)
        print(f'{target}: {os.path.getsize(target) / 1e6:.1f} MB', flush=True)


if __name__ == '__main__':
    main()
