"""Write odd and broken media files: a writer takes a folder and returns the file's path."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media import code_image, write_clip

os.environ.setdefault('SVT_LOG', '0')  # libsvtav1 prints its settings

FPS = 10
Writer = Callable[[Path], Path]


def level_image(index: int, size: tuple[int, int]) -> np.ndarray:
    """A grey picture that says its index, which is below 20."""
    return np.full((size[1], size[0], 3), 40 + 9 * index, np.uint8)


def read_level(image: np.ndarray) -> int:
    return round((float(image.mean()) - 40) / 9)


def clip(name: str = 'clip.mp4', **arguments) -> Writer:
    """:func:`tests.media.write_clip` as a writer."""
    return lambda folder: Path(write_clip(folder / name, **arguments))


def picture_track(name: str, codec: str, pix_fmt: str, *, size: tuple[int, int] = (64, 48),
                  levels: bool = False, num_frames: int = 20, container: str | None = None,
                  alpha: int | None = None, options: dict | None = None,
                  configure: Callable | None = None) -> Writer:
    """Frames of any size and pixel format, no sound."""
    def write(folder: Path) -> Path:
        path = folder / name
        with av.open(str(path), 'w', format=container) as output:
            stream = output.add_stream(codec, rate=FPS, options=options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pix_fmt
            if configure is not None:
                configure(stream)
            for i in range(num_frames):
                image = (level_image if levels else code_image)(i, size)
                layout = 'rgb24'
                if alpha is not None:
                    layout = 'rgba'
                    image = np.dstack([image, np.full(image.shape[:2], alpha, np.uint8)])
                frame = av.VideoFrame.from_ndarray(image, format=layout)
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return path

    return write


def bytes_of(name: str, data: bytes) -> Writer:
    """A file of these bytes."""
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


def changed(write: Writer, change: Callable[[bytearray], bytes]
            ) -> Writer:
    """Another's file, its bytes changed."""
    def write_changed(folder: Path) -> Path:
        path = write(folder)
        path.write_bytes(bytes(change(bytearray(path.read_bytes()))))
        return path

    return write_changed


def remuxed(write: Writer, name: str, change: Callable | None = None,
            options: dict | None = None, with_streams: Callable | None = None
            ) -> Writer:
    """Another's packets in a new container; ``change`` drops or alters them."""
    def write_remuxed(folder: Path) -> Path:
        source = write(folder)
        path = folder / name
        with av.open(str(source)) as container, \
                av.open(str(path), 'w', options=options or {}) as output:
            streams = {s.index: output.add_stream_from_template(s) for s in container.streams}
            if with_streams is not None:
                with_streams(list(streams.values()))
            for packet in container.demux():
                if packet.dts is None:
                    continue
                packet.stream = streams[packet.stream.index]
                if change is None or change(packet) is not False:
                    output.mux(packet)
        if path != source:
            source.unlink()
        return path

    return write_remuxed


def moved(write: Writer, name: str | bytes) -> Writer:
    """Another's file under this name."""
    def write_moved(folder: Path) -> Path:
        path = folder / os.fsdecode(name)
        write(folder).rename(path)
        return path

    return write_moved


def box(data: bytes | bytearray, kind: bytes) -> slice:
    """Where the first MP4 box of a kind lies, header included."""
    start = data.index(kind) - 4
    return slice(start, start + int.from_bytes(data[start:start + 4], 'big'))



def rename_boxes(*kinds: bytes) -> Callable[[bytearray], bytes]:
    """A change: the first MP4 box of each kind becomes one that nobody knows."""
    def rename(data: bytearray) -> bytes:
        for kind in kinds:
            data = data.replace(kind, b'zzzz', 1)
        return data

    return rename


def fill_frames(filling: Callable[[int], bytes]) -> Callable[[bytearray], bytes]:
    """A change: other bytes in place of all that an MP4 file's tracks hold."""
    def fill(data: bytearray) -> bytearray:
        where = box(data, b'mdat')
        data[where.start + 8:where.stop] = filling(where.stop - where.start - 8)
        return data

    return fill


def noise(length: int) -> bytes:
    return np.random.default_rng(0).bytes(length)


def cut_before(frame: int, write: Writer) -> Writer:
    """Another's file that ends where a frame's packet would start."""
    def write_cut(folder: Path) -> Path:
        path = write(folder)
        with av.open(str(path)) as container:
            position = [p.pos for p in container.demux(video=0) if p.size][frame]
        os.truncate(path, position)
        return path

    return write_cut


def linked(write: Writer, name: str = 'link.mp4') -> Writer:
    """A symbolic link to another's file."""
    def write_link(folder: Path) -> Path:
        (folder / name).symlink_to(write(folder))
        return folder / name

    return write_link


def made(make: Callable[[Path], object], name: str = 'x.mp4') -> Writer:
    """Something at a path: a folder, a pipe, a link, or nothing."""
    def write(folder: Path) -> Path:
        make(folder / name)
        return folder / name

    return write


def two_tracks(first: Writer, second: Writer, name: str,
               with_streams: Callable | None = None) -> Writer:
    """The tracks of two files in one container."""
    def write(folder: Path) -> Path:
        path = folder / name
        packets, sources = [], []
        with av.open(str(path), 'w') as output:
            for i, each in enumerate((first, second)):
                (folder / str(i)).mkdir()
                source = av.open(str(each(folder / str(i))))
                sources.append(source)
                streams = {s.index: output.add_stream_from_template(s) for s in source.streams}
                for packet in source.demux():
                    if packet.dts is not None:
                        packet.stream = streams[packet.stream.index]
                        packets.append(packet)
            if with_streams is not None:
                with_streams(output.streams)
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                output.mux(packet)
            for source in sources:
                source.close()
        return path

    return write
