"""Drawing, sounding and encoding one GlanceBench video (see ``glancebench.py`` for what is drawn).

Why the class is lost at a quarter of the resolution. Every fine pattern is a wave with a period of
4 pixels along x, along y, or along both, and the average of such a wave over any 4 x 4 pixels is 0,
whatever the pattern and wherever the object stands. What the averaging leaves of the disc is its
place and its hue. Diagonals run either way at random, so that mirrored frames keep their class.
"""

import os
from fractions import Fraction

import av
import cv2
import numpy as np

PATTERNS = ('rows', 'columns', 'diagonals', 'checks')
HUES = {
    'red': (1, 0, 0),
    'green': (0, 1, 0),
    'blue': (0, 0, 1),
    'yellow': (1, 1, 0),
    'magenta': (1, 0, 1),
    'cyan': (0, 1, 1),
}
PATTERN_AMPLITUDE = 53  # the checks' peak, 53 * sqrt(2) = 75, stays inside 0..255 on every hue
TONE_SECONDS = 0.1  # two tones take turns; one turn lasts this long
LOWEST_TONE_HZ, HIGHEST_TONE_HZ = 500, 4000


def draw_pattern(name: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a fine pattern of zero mean and energy 1/2.

    Returns:
        np.ndarray: float32 of shape (size, size).
    """
    y, x = np.pi / 2 * (np.mgrid[:size, :size] + rng.integers(4, size=2)[:, None, None])
    quarter = np.pi / 4  # makes the waves' crests two pixels wide
    if name == 'rows':
        pattern = np.cos(y + quarter)
    elif name == 'columns':
        pattern = np.cos(x + quarter)
    elif name == 'diagonals':
        pattern = np.cos(x + rng.choice((-1, 1)) * y + quarter)
    else:
        pattern = np.sqrt(2) * np.cos(x + quarter) * np.cos(y + quarter)
    return np.float32(pattern)


def draw_target(hue: int, pattern: int, size: int, rng: np.random.Generator):
    """Draw a target: a saturated disc with a white rim, which holds the class's pattern.

    Returns:
        tuple[np.ndarray, np.ndarray]: RGB pixels (size, size, 3) uint8 and the mask (size, size)
        bool of the pixels that belong to the disc.
    """
    centre = (size - 1) / 2
    y, x = np.mgrid[:size, :size]
    radius = np.hypot(x - centre, y - centre)
    pixels = 75 + 105 * np.float32(list(HUES.values())[hue])
    pixels = pixels + PATTERN_AMPLITUDE * draw_pattern(PATTERNS[pattern], size, rng)[..., None]
    pixels[radius > size / 2 - 2] = 250
    return np.clip(pixels.round(), 0, 255).astype(np.uint8), radius < size / 2


def draw_distractor(size: int, pattern_rate: float, rng: np.random.Generator):
    """Draw a dim square or triangle, plain or with a pattern that means nothing here.

    Returns:
        tuple[np.ndarray, np.ndarray]: As in :func:`draw_target`.
    """
    mask = np.ones((size, size), dtype=bool)
    if rng.random() < 0.5:
        y, x = np.mgrid[:size, :size]
        mask = np.abs(x - (size - 1) / 2) <= y / 2
    pixels = np.tile(rng.uniform(55, 125, size=3).astype(np.float32), (size, size, 1))
    if rng.random() < pattern_rate:
        name = PATTERNS[rng.integers(len(PATTERNS))]
        pixels += PATTERN_AMPLITUDE * draw_pattern(name, size, rng)[..., None]
    return np.clip(pixels.round(), 0, 255).astype(np.uint8), mask


def paste(frame: np.ndarray, sprite: tuple[np.ndarray, np.ndarray], corner: np.ndarray) -> None:
    """Lay a sprite into the frame, its top left at ``corner`` (x, y), rounded to whole pixels."""
    pixels, mask = sprite
    x, y = np.rint(corner).astype(int)
    size = len(mask)
    # Patterns keep to the pixel grid: between pixels they would blur away.
    np.copyto(frame[y : y + size, x : x + size], pixels, where=mask[..., None])


def draw_background(num_frames: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw clutter of three coarsenesses that drifts, and whose brightness flickers.

    Returns:
        np.ndarray: Frames (num_frames, size, size, 3) uint8.
    """
    wide = 2 * size
    clutter = np.full((wide, wide, 3), 105, dtype=np.float32)
    for cells, contrast in ((6, 26), (24, 16), (wide // 2, 7)):
        noise = rng.standard_normal((cells, cells, 3), dtype=np.float32)
        clutter += contrast * cv2.resize(noise, (wide, wide), interpolation=cv2.INTER_LINEAR)
    clutter = np.clip(clutter, 0, 210).astype(np.uint8)
    start, end = rng.uniform(0, size, size=(2, 2))
    brightness = rng.uniform(0.85, 1.1) + 0.03 * rng.standard_normal(num_frames)
    frames = np.empty((num_frames, size, size, 3), dtype=np.uint8)
    for i, (x, y) in enumerate(np.rint(np.linspace(start, end, num_frames)).astype(int)):
        cv2.convertScaleAbs(clutter[y : y + size, x : x + size], frames[i], brightness[i])
    return frames


def draw_frames(spec, plan: dict, rng: np.random.Generator) -> np.ndarray:
    """Draw all frames of a planned video.

    Returns:
        np.ndarray: RGB frames (num_frames, image_size, image_size, 3) uint8.
    """
    num_frames, size = plan['num_frames'], spec.object_pixels
    frames = draw_background(num_frames, spec.image_size, rng)
    for _ in range(rng.integers(spec.num_distractors[0], spec.num_distractors[1] + 1)):
        sprite = draw_distractor(
            int(size * rng.uniform(0.7, 1.1)), spec.distractor_pattern_rate, rng)
        first = rng.integers(num_frames)
        last = min(num_frames, first + rng.integers(num_frames // 4, num_frames))
        start, end = rng.uniform(0, spec.image_size - len(sprite[1]), size=(2, 2))
        for i, corner in zip(range(first, last), np.linspace(start, end, last - first)):
            paste(frames[i], sprite, corner)
    for event in plan['events']:
        if event['visible']:
            sprite = draw_target(plan['hue'], plan['pattern'], size, rng)
            corners = np.linspace(
                event['corner'], event['corner_end'], event['num_frames'], endpoint=False)
            for i, corner in enumerate(corners, start=event['start_frame']):
                paste(frames[i], sprite, corner)
    return frames


def tone_pairs(num_sounds: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Share the pairs of a small set of tones out between classes and distractors.

    No single tone gives a sound away: each occurs in several sounds and in distractors.

    Returns:
        tuple[list, list]: ``num_sounds`` pairs of frequencies in Hz, and at least two others.
    """
    num_tones = 4
    while num_tones * (num_tones - 1) // 2 < num_sounds + 2:
        num_tones += 1
    tones = np.geomspace(LOWEST_TONE_HZ, HIGHEST_TONE_HZ, num_tones)
    pairs = [(a, b) for gap in range(1, num_tones) for a, b in zip(tones, tones[gap:])]
    return pairs[:num_sounds], pairs[num_sounds:]


def two_tones(pair: tuple[float, float], num_samples: int, sample_rate: int, rng) -> np.ndarray:
    """Sound two tones in turns, a few per cent out of tune, starting with either.

    Returns:
        np.ndarray: float32 of shape (num_samples,), power 1/2, with soft ends.
    """
    seconds = np.arange(num_samples) / sample_rate
    turn = (seconds / TONE_SECONDS + rng.integers(2)).astype(int) % 2
    frequency = np.asarray(pair)[turn] * rng.uniform(0.97, 1.03)
    wave = np.sin(2 * np.pi * np.cumsum(frequency) / sample_rate + rng.uniform(0, 2 * np.pi))
    fade = np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.02)
    return np.float32(wave * fade)


def make_sound(spec, plan: dict, rng: np.random.Generator) -> np.ndarray:
    """Sound a planned video: coloured noise, the audible events and distractors between them.

    Returns:
        np.ndarray: float32 of shape (samples,) in -1..1 at ``spec.sample_rate``.
    """
    rate = spec.sample_rate
    num_samples = round(plan['num_frames'] / spec.fps * rate)
    spectrum = rng.standard_normal((2, num_samples // 2 + 1), dtype=np.float32)
    colour = np.arange(1, num_samples // 2 + 2, dtype=np.float32) ** -rng.uniform(0, 0.5)
    noise = np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * colour, num_samples)
    wave = np.float32(0.08 / noise.std()) * noise.astype(np.float32)

    sounds, other_sounds = tone_pairs(spec.num_sounds)
    spans = [(e['start_frame'], e['num_frames'], sounds[plan['sound']])
             for e in plan['events'] if e['audible']]
    spans += [(*span, other_sounds[rng.integers(len(other_sounds))])
              for span in plan['distractor_sounds']]
    for first_frame, frames, pair in spans:
        first = round(first_frame / spec.fps * rate)
        length = min(round(frames / spec.fps * rate), num_samples - first)
        # A sine of amplitude a has the power a^2 / 2.
        amplitude = 0.08 * np.sqrt(2) * 10 ** (rng.uniform(*spec.sound_snr_db) / 20)
        wave[first : first + length] += amplitude * two_tones(pair, length, rate, rng)
    return np.clip(wave, -1, 1)


def write_video(path: str, frames: np.ndarray, sound: np.ndarray | None, spec) -> None:
    """Write an H.264/AAC mp4 file; it appears under its name only once it is whole.

    Args:
        path (str): The file to write.
        frames (np.ndarray): RGB frames (N, H, W, 3) uint8.
        sound (np.ndarray, optional): Mono samples, float32; None for no audio track.
        spec (GlanceBenchSpec): Gives the rates and the encoder's settings.
    """
    unfinished = f'{path}.part'
    options = dict(preset='ultrafast', crf=str(spec.crf), g=str(spec.gop_frames), threads='1')
    with av.open(unfinished, 'w', format='mp4') as container:
        video = container.add_stream('libx264', rate=spec.fps, options=options)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = 'yuv420p'
        audio = None
        if sound is not None:
            audio = container.add_stream('aac', rate=spec.sample_rate, layout='mono')
            audio.bit_rate = 48000
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(video.encode(None))
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format='fltp', layout='mono')
            frame.sample_rate, frame.pts = spec.sample_rate, 0
            frame.time_base = Fraction(1, spec.sample_rate)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    os.replace(unfinished, path)
