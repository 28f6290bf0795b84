"""Read a mix of good and bad files over and over: does memory grow, do files stay open?"""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from avgn_mm.registry import DATASETS
from tests.robustness.media_cases import CASES

ROOT = Path(__file__).resolve().parents[2]
# The training pipeline of the paper's configs, at half the frames.
PIPELINE = Config.fromfile(ROOT / 'configs/_base_/datasets/audio_visual_224.py').train_pipeline
PIPELINE[1].num_frames = 8
# Two good files for a bad one; pictures of usual sizes, as these are many reads.
GOOD = ('H.264 and AAC, mp4', 'VP9 and Opus, webm', 'MPEG-2 and MP2, ts', 'MPEG-4 and PCM, avi',
        'HEVC and AAC, mp4', 'AV1 and Opus, mp4', 'video only', 'rotated by 90', 'sound in 5.1',
        'B-frames with negative stamps, mp4', 'variable frame rate, mkv', 'resolution that changes')
BAD = ('zero bytes', 'text', 'moov missing', 'frames of noise', 'sound only, mp4',
       'link to nothing')


@dataclass
class Usage:
    """What the process holds after so many samples."""
    samples: int
    resident_bytes: int
    open_files: int


def soak(folder: Path, number: int, report: Callable[[Usage], None] = lambda usage: None,
         every: int = 1000) -> list[Usage]:
    """Read samples as a training process does, bad files included.

    Args:
        folder (Path): Empty.
        number (int): How many samples.
        report (Callable): Called with each of the measurements.
        every (int): A measurement is made after so many samples.
    """
    cases = {case.name: case for case in CASES}
    lines = []
    for i, name in enumerate((*GOOD, *BAD)):
        if not cases[name].missing_codecs:
            (folder / str(i)).mkdir()
            lines.append(f'{cases[name].write(folder / str(i)).relative_to(folder)} 0')
    (folder / 'list.txt').write_text('\n'.join(lines))
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        dataset = DATASETS.build(dict(
            type='AudioVisualDataset', ann_file=str(folder / 'list.txt'), pipeline=PIPELINE,
            data_prefix=dict(video=str(folder)), max_bad_share=0.5,
            bad_files=str(folder / 'bad_files.jsonl')))
        usages = []
        for i in range(1, number + 1):
            inputs = dataset[i % len(dataset)]['inputs']
            assert inputs['imgs'].shape == (8, 3, 224, 224), inputs['imgs'].shape
            if i % every == 0 or i == number:
                usages.append(_measure(i))
                report(usages[-1])
    found = len(dataset.bad_files)
    assert found == len(BAD), f'{found} bad files were found instead of {len(BAD)}'
    return usages


def _measure(samples: int) -> Usage:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return Usage(samples, pages * resource.getpagesize(), len(os.listdir('/proc/self/fd')))
