"""What is re-encoded shows and sounds the same; nothing stops or spoils a run over many files."""

import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from avgn_mm.datasets.transforms.audio_reader import AudioReader
from avgn_mm.datasets.transforms.video_reader import VideoReader
from tests.media import code_image, read_code, write_clip

TOOL = Path(__file__).resolve().parents[2] / 'tools/data/transcode.py'
KEPT = range(20)


@pytest.fixture(scope='module')
def tool():
    """As a module that worker processes can import, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOL.parent))
        yield importlib.import_module('transcode')
    del sys.modules['transcode']


@pytest.fixture(scope='module')
def settings(tool):
    return tool.Settings(short_side=64, gop=5, crf=18)


def write_lossless(path, pix_fmt, size, **colours):
    """Frames that libx264 and even sizes do not allow."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        for i in KEPT:
            frame = av.VideoFrame.from_ndarray(code_image(i, size), format='rgb24')
            container.mux(stream.encode(frame.reformat(format=pix_fmt, **(
                dict(dst_color_range=2) if colours else {}))))
        container.mux(stream.encode())
    return str(path)


def sound(filename):
    """When a sound begins and ends, in seconds on the container's clock, and how loud it is."""
    with av.open(filename) as container:
        frames = list(container.decode(audio=0))
    # Six channels of one tone are as loud as each of them.
    waveform = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    loud = np.flatnonzero(np.abs(waveform) > 0.1)
    first, last = (frames[0].time + i / frames[0].sample_rate for i in loud[[0, -1]])
    return first, last, np.sqrt(np.mean(waveform[loud[0]:loud[-1]]**2))


# Options of write_clip; the size (W, H) of what comes out.
CLIPS = {
    'small enough': (dict(), (64, 48)),
    'scaled': (dict(size=(192, 96)), (128, 64)),
    'turned left': (dict(rotation=90, size=(192, 96)), (64, 128)),
    'upside down': (dict(rotation=180), (64, 48)),
    'turned right': (dict(rotation=270, size=(128, 96)), (64, 86)),
    'uneven times': (dict(times=np.cumsum([0.0] + [0.04, 0.15] * 9 + [0.1])), (64, 48)),
    'B-frames': (dict(video_options=dict(bf='3', g='20')), (64, 48)),
    'sound of one channel': (dict(audio=440.0), (64, 48)),
    'sound of six channels': (dict(audio=440.0, audio_layout='5.1', audio_rate=48000), (64, 48)),
    'sound begins late': (dict(audio=440.0, audio_start=0.7, audio_seconds=1.0), (64, 48)),
    'sound lasts longer': (dict(audio=440.0, audio_seconds=3.0, audio_rate=44100), (64, 48)),
}


# Only MP4 stores how to turn a picture.
@pytest.mark.parametrize('name, suffix', [
    (name, suffix) for name, (options, _) in CLIPS.items()
    for suffix in (['mp4'] if 'rotation' in options else ['mp4', 'mkv', 'ts'])])
def test_shows_and_sounds_the_same(tool, settings, tmp_path, name, suffix):
    options, size = CLIPS[name]
    source = write_clip(tmp_path / f'in.{suffix}', **options)
    target = tmp_path / 'out' / 'out.mp4'
    written = tool.transcode(Path(source), target, settings)
    assert [path.name for path in target.parent.iterdir()] == ['out.mp4']
    assert written['num_frames'] == 20 and not written['warnings']
    # decord seeks exactly in few kinds of files; this must be one.
    backend = 'decord' if importlib.util.find_spec('decord') else 'pyav'
    before, after = VideoReader(source), VideoReader(str(target), backend=backend)
    images = after.get_frames(KEPT)
    assert [read_code(image) for image in images] == [
        read_code(image) for image in before.get_frames(KEPT)]
    assert {image.shape for image in images} == {size[::-1] + (3, )}
    assert after.times[0] == 0
    np.testing.assert_allclose(after.times, before.times - before.times[0], atol=1.1e-3)
    assert after.decode_costs.max() <= 5
    assert after.has_audio == before.has_audio == ('audio' in options)
    if after.has_audio:
        with av.open(str(target)) as container:
            stream = container.streams.audio[0]
            assert (stream.rate, stream.layout.name) == (16000, 'mono')
        first, last, level = sound(source)
        np.testing.assert_allclose(
            sound(str(target)), (first - before.times[0], last - before.times[0], level),
            atol=0.005)
    before.close()
    after.close()


@pytest.mark.parametrize('pix_fmt, size, expected, colours', [
    ('yuv420p10le', (64, 48), (64, 48), {}), ('bgr0', (63, 49), (64, 48), {}),
    ('gray', (64, 48), (64, 48), {}), ('yuv444p', (99, 149), (64, 96), {}),
    ('yuv422p', (64, 48), (64, 48), dict(color_range=2))])
def test_other_pixels(tool, settings, tmp_path, pix_fmt, size, expected, colours):
    source = write_lossless(tmp_path / 'in.mkv', pix_fmt, size, **colours)
    tool.transcode(Path(source), tmp_path / 'out.mp4', settings)
    with av.open(str(tmp_path / 'out.mp4')) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert (stream.width, stream.height) == expected
        images = [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]
    assert [read_code(image) for image in images] == list(KEPT)
    # As bright as before, whatever range the numbers had: one tile, and one beside it.
    height, width, _ = images[1].shape
    for tile, level in ((1, 200), (3, 40)):
        np.testing.assert_allclose(images[1][height // 8, tile * width // 8], level, atol=6)


def test_sound_before_the_picture_and_gaps(tool, settings, tmp_path):
    """The first frame is time 0; silence stands where there was no sound."""
    path = tmp_path / 'in.mkv'
    with av.open(str(path), 'w') as container:
        video = container.add_stream('libx264', rate=10, options=dict(preset='ultrafast'))
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        audio = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        packets = []
        for i in KEPT:
            frame = av.VideoFrame.from_ndarray(code_image(i), format='rgb24')
            frame.pts, frame.time_base = i + 5, Fraction(1, 10)
            packets += video.encode(frame)
        packets += video.encode()
        for begin, end, level in ((0.0, 0.8, 8000), (1.5, 2.0, 16000)):
            samples = np.full((1, round((end - begin) * 8000)), level, dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
            frame.sample_rate, frame.pts, frame.time_base = (
                8000, round(begin * 8000), Fraction(1, 8000))
            packets += audio.encode(frame)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    tool.transcode(path, tmp_path / 'out.mp4', settings)
    start, waveform = AudioReader(str(tmp_path / 'out.mp4')).read_all()
    # Constant levels come out of AAC well enough for this.
    levels = [abs(waveform[round(16000 * t) - start]) for t in (0.15, 0.6, 1.2)]
    np.testing.assert_allclose(levels, [0.25, 0.0, 0.5], atol=0.05)
    assert len(waveform) == pytest.approx(1.5 * 16000, abs=2048)


def test_damage_is_reported(tool, settings, tmp_path):
    source = Path(write_clip(tmp_path / 'in.ts', num_frames=60, audio=440.0))
    data = source.read_bytes()
    source.write_bytes(data[:len(data) // 2])
    written = tool.transcode(source, tmp_path / 'out.mp4', settings)
    assert 10 < written['num_frames'] < 50
    # An index at the front tells how much is missing; what comes out has one.
    tool.transcode(Path(write_clip(tmp_path / 'in.mp4', num_frames=60)), tmp_path / 'a.mp4',
                   settings)
    data = (tmp_path / 'a.mp4').read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(data[:len(data) * 2 // 3])
    warnings = tool.transcode(tmp_path / 'cut.mp4', tmp_path / 'b.mp4', settings)['warnings']
    assert warnings[-1].startswith('its last frame is at') and warnings[-1].endswith('s of 6.0 s')
    tool.check(str(tmp_path / 'out.mp4'), settings, written)
    with pytest.raises(tool.TranscodeError, match='frames up to .* were written instead of 99'):
        tool.check(str(tmp_path / 'out.mp4'), settings, {**written, 'num_frames': 99})
    with pytest.raises(tool.TranscodeError, match='samples of sound'):
        tool.check(str(tmp_path / 'out.mp4'), settings, {**written, 'num_samples': None})
    with pytest.raises(tool.TranscodeError, match='groups of up to 5'):
        tool.check(str(tmp_path / 'out.mp4'), tool.Settings(64, 4, 18))


def run(*arguments, code=0):
    done = subprocess.run([sys.executable, TOOL, *map(str, arguments)], text=True,
                          capture_output=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*')
                  if path.suffix != '.lock' and path.is_file())


@pytest.fixture
def source(tmp_path):
    """Videos that are good and bad, in folders."""
    folder = tmp_path / 'in'
    (folder / 'a b').mkdir(parents=True)
    write_clip(folder / 'one.mp4', audio=440.0)
    write_clip(folder / 'a b/two.avi', video_codec='mpeg4')
    write_clip(folder / 'a b/ü.mkv')
    (folder / 'notes.txt').write_text('no video')
    (folder / 'noise.mp4').write_bytes(random.Random(0).randbytes(5000))
    (folder / 'empty.webm').touch()
    (folder / 'gone.mp4').symlink_to('nowhere.mp4')
    (folder / 'list.ts').write_text('ffconcat version 1.0\nfile one.mp4\n')
    os.mkfifo(folder / 'pipe.avi')
    write_clip(folder / 'sound.mp4', video_codec=None, audio=440.0, audio_seconds=1)
    shutil.copy(folder / 'a b/ü.mkv', folder / 'a b/two.mkv')
    return folder


GOOD = ['a b/two.mp4', 'a b/ü.mp4', 'one.mp4']


def test_a_folder(source, tmp_path):
    dest = tmp_path / 'out'
    options = [source, dest, '--short-side', '32', '--workers', '2']
    assert '7 failed; see' in run(*options)
    assert files(dest) == [*GOOD, 'problems-1-of-1.jsonl', 'transcode.json']
    problems = {entry.pop('file'): entry for entry in map(
        json.loads, (dest / 'problems-1-of-1.jsonl').read_text().splitlines())}
    assert set(problems) == {'noise.mp4', 'empty.webm', 'gone.mp4', 'sound.mp4', 'a b/two.mkv',
                             'list.ts', 'pipe.avi'}
    assert problems['sound.mp4'] == dict(error='no video frame can be decoded')
    assert problems['gone.mp4'] == dict(error='No such file or directory')
    assert problems['list.ts'] == dict(error='it is a playlist of other files')
    assert 'same name as a b/two.avi' in problems['a b/two.mkv']['error']

    # Again: only what failed; what is newer at its source; with --recheck, what was damaged since.
    times = {name: (dest / name).stat().st_mtime_ns for name in GOOD}
    os.utime(source / 'one.mp4', (time.time() + 5, ) * 2)
    data = (dest / GOOD[1]).read_bytes()
    (dest / GOOD[1]).write_bytes(data[:-len(data) // 2])
    (dest / '.one.mp4.1.part').write_text('left by a run that was killed')
    assert '7 files to convert, 2 are done' in run(*options)
    assert [(dest / name).stat().st_mtime_ns > times[name] for name in GOOD] == [
        False, True, True]  # the second was cut here
    assert not list(dest.rglob('*.part'))
    assert '9 files to convert' in run(*options, '--recheck')
    assert (dest / GOOD[1]).stat().st_size == pytest.approx(len(data), rel=0.1)
    assert 'made with' in run(*options[:2], code=1)


def test_shards_share_the_work(source, tmp_path):
    dest = tmp_path / 'out'
    for shard in (1, 2, 3):
        run(source, dest, '--shard', f'{shard}/3', '--workers', '1')
    problems = [json.loads(line)['file'] for path in dest.glob('problems-*-of-3.jsonl')
                for line in path.read_text().splitlines()]
    assert [name for name in files(dest) if name.endswith('.mp4')] == GOOD
    assert sorted(problems) == sorted(set(problems)) and len(problems) == 7


def test_arguments(tool, source, capsys):
    for arguments, message in (
            (['out', '--shard', '0/4'], 'counts from 1 to N'),
            (['out', '--shard', 'x'], 'wants I/N'),
            (['out', '--short-side', '31'], 'must be even'),
            ([str(source / 'out')], 'would be converted again')):
        with pytest.raises(SystemExit):
            tool.parse_args([str(source), *arguments])
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.parse_args([str(source / 'one.mp4'), 'out'])


def test_a_worker_that_dies_costs_one_file(tool, settings, tmp_path):
    write_clip(tmp_path / 'in.mp4')
    job = tool.Job('in.mp4', tmp_path / 'in.mp4', tmp_path / 'out.mp4')
    worker = tool.Worker(settings, timeout=60)
    worker.process.kill()
    worker.process.join()
    worker.job, worker.deadline = job, float('inf')
    assert worker.outcome() == dict(
        error='decoding it ended the process, with exit code -9')
    worker.give(job)
    worker.connection.poll(60)
    assert worker.outcome()['num_frames'] == 20
    worker.timeout = -1
    worker.give(job)
    assert 'longer than' in worker.outcome()['error'] and not worker.process.is_alive()


@pytest.mark.slow
def test_killed_at_any_moment(tool, tmp_path):
    """SIGKILL, twenty times: what has its name is whole, and a last run completes the rest."""
    source, dest = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    write_clip(source / '0.mp4', num_frames=60, size=(320, 240), audio=440.0)
    for i in range(1, 6):
        shutil.copy(source / '0.mp4', source / f'{i}.mp4')
    command = [sys.executable, TOOL, source, dest, '--workers', '2', '--short-side', '128']
    rng = random.Random(0)
    interrupted = 0
    for _ in range(20):
        done = sorted(dest.glob('*.mp4'))
        for path in rng.sample(done, min(4, len(done))):
            path.unlink()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        started = time.monotonic()
        while not list(dest.glob('.*.part')) and time.monotonic() < started + 20:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        interrupted += bool(list(dest.glob('.*.part')))
    assert interrupted >= 5
    found = dest.glob('*.mp4')
    for path in found:
        tool.check(str(path), tool.Settings(128, 16, 20))
    run(*command[2:])
    assert files(dest) == [*(f'{i}.mp4' for i in range(6)), 'problems-1-of-1.jsonl',
                           'transcode.json']
    assert not (dest / 'problems-1-of-1.jsonl').read_text()
    for i in range(6):
        tool.check(str(dest / f'{i}.mp4'), tool.Settings(128, 16, 20),
                   dict(num_frames=60, seconds=5.9, num_samples=6 * 16000))
