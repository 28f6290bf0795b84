"""A tiny set of annotated videos named like TVSum's, and a tiny AVGN that scores them."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from avgn_mm.apis import HighlightFinder
from avgn_mm.registry import MODELS
from tests.media import write_clip
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, avgn_config
from tests.tiny_set import PREPROCESSOR

META_KEYS = ('filename', 'slot_times', 'window', 'num_windows', 'shot_seconds', 'category',
             'annotations')
# Ids as they are: with dashes, underscores and an accent in a title.
VIDEOS = (('AwmHb44_ouw', 'VT', 'VT #1306 How to change tires', 21),
          ('-esJrBWj2d8', 'DS', 'Will A Cat Eat Dog Food?', 34),
          ('PJrm840pAUI', 'PK', 'Vivencias: Jam Parkour Viña del Mar', 17))


def annotate(num_shots: int, seed: int) -> np.ndarray:
    """Scores (20, shots) of 1 to 5; they change at nearly each border, as in TVSum."""
    return np.random.default_rng(seed).integers(1, 6, size=(20, num_shots))


def to_frames(scores: np.ndarray, num_frames: int, frames_per_shot: float) -> np.ndarray:
    """From shots to frames: (20, frames)."""
    shots = (np.arange(num_frames) / frames_per_shot).astype(int)
    return scores[:, np.minimum(shots, scores.shape[1] - 1)]


def write_tsv(folder: Path, fps: float = 12.5) -> Path:
    """The two text files for ``VIDEOS``."""
    lines, info = [], ['category\tvideo_id\ttitle\turl\tlength']
    for i, (name, category, title, shots) in enumerate(VIDEOS):
        # 0.7 s are left at the end.
        frames = to_frames(annotate(shots, i), round((2 * shots + 0.7) * fps), 2 * fps)
        lines += [f'{name}\t{category}\t{",".join(map(str, row))}' for row in frames]
        info.append(f'{category}\t{name}\t{title}\thttp://\t0:{2 * shots}')
    (folder / 'ydata-tvsum50-anno.tsv').write_text('\n'.join(lines) + '\n')
    (folder / 'ydata-tvsum50-info.tsv').write_text('\n'.join(info) + '\n', encoding='utf-8')
    return folder / 'ydata-tvsum50-anno.tsv'


def write_long_clip(path: Path, seconds: float, fps: float = 2, **kwargs) -> str:
    """A clip that takes little time to write, with sound."""
    kwargs = dict(num_frames=round(seconds * fps), fps=fps, audio=440.0, audio_rate=8000,
                  audio_codec='pcm_s16le' if path.suffix == '.mkv' else 'aac') | kwargs
    return write_clip(path, **kwargs)


def write_config(folder: Path, **dataset) -> tuple[str, str]:
    """A config of the tiny AVGN on a ``highlights.json`` there, and weights for it."""
    pipeline = [
        dict(type='AVInit'), dict(type='SampleWindow', num_frames=NUM_FRAMES),
        dict(type='DecodeFrames'), dict(type='CenterCrop', crop_size=IMAGE_SIZE),
        dict(type='FormatShape', input_format='NCHW'), dict(type='DecodeAudio'),
        dict(type='LogMel'),
        dict(type='PackActionInputs', collect_keys=('imgs', 'audios'), meta_keys=META_KEYS)]
    config = Config(dict(
        default_scope='avgn_mm', model=avgn_config(
            data_preprocessor=PREPROCESSOR, test_cfg=dict(num_glances=NUM_FRAMES, num_focus=1)),
        test_dataloader=dict(
            batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='HighlightDataset', ann_file=str(folder / 'highlights.json'),
                         data_prefix=dict(video=str(folder / 'videos')), num_frames=NUM_FRAMES,
                         pipeline=pipeline, **dataset)),
        test_evaluator=[dict(type='HighlightMetric'), dict(type='CostMetric')],
        test_cfg=dict(type='TestLoop'), log_level='ERROR'))
    config.dump(str(folder / 'config.py'))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        torch.save(dict(state_dict=MODELS.build(config.model).state_dict()),
                   folder / 'random.pth')
    return str(folder / 'config.py'), str(folder / 'random.pth')


def bright_is_salient(finder: HighlightFinder) -> HighlightFinder:
    """Make a frame's saliency the brightness of its first pixel."""
    glance = finder.model.glance

    def prescribed(imgs, audios, num_glances):
        found = glance(imgs, audios, num_glances)
        found.saliency = imgs[:, :num_glances][..., 0, 0, 0]
        return found

    finder.model.glance = prescribed
    return finder
