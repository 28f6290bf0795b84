"""Draw predicted and true highlights of one video, as the paper's Figure 6.

``python tools/analysis_tools/draw_highlights.py --out FIGURE -- CONFIG CHECKPOINT VIDEO``, where
``--`` is needed by ids that begin with a dash.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.hub import get_config

from avgn_mm.apis import HighlightFinder
from avgn_mm.datasets.highlight_dataset import read_annotations
from avgn_mm.visualization import draw_highlights


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw the highlights of a video')
    parser.add_argument('config', help="path of a config, or its name: 'avgn_mm::FOLDER/FILE.py'")
    parser.add_argument('checkpoint')
    parser.add_argument('video', help="a file, or the id of one of the config's annotated videos, "
                                      'whose true curve is then drawn, too')
    parser.add_argument('--out', required=True, help='the picture: .png, .svg or .pdf')
    parser.add_argument('--frames', type=int, default=5, help='best and worst ones to show')
    parser.add_argument('--device', help='by default a GPU if there is one')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(argv)


def find_annotated(cfg: Config, name: str) -> tuple[str, dict, float]:
    """An annotated video of the config's test set: its file, what is known of it, shot seconds.

    Raises:
        ValueError: If the test set is none of annotated videos, or has no such video.
    """
    dataset = cfg.test_dataloader.dataset
    if dataset.type != 'HighlightDataset':
        raise ValueError(f'{name} is no file, and the test set of {cfg.filename} has no annotated '
                         'videos')
    shot_seconds, videos = read_annotations(dataset.ann_file)
    for video in videos:
        if name in (video['path'], video.get('id')):
            return str(Path(dataset.data_prefix.video) / video['path']), video, shot_seconds
    raise ValueError(f'{name} is neither a file nor one of the {len(videos)} videos of '
                     f'{dataset.ann_file}')


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = get_config(args.config) if '::' in args.config else Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    path, title, truth, options = args.video, Path(args.video).name, None, {}
    if not Path(path).is_file():
        path, video, options['shot_seconds'] = find_annotated(cfg, args.video)
        truth = video['scores'].mean(axis=0)
        title = f'{video["category"]}: {video.get("title") or video["path"]}'
    finder = HighlightFinder(cfg, args.checkpoint, device=args.device, show_progress=False)
    result = finder.find(path, args.frames, **options)
    if result.error is not None:
        raise SystemExit(result.error)
    if truth is not None:
        # The file may last a frame longer or shorter than what was annotated.
        number = min(len(truth), len(result.shots))
        truth, result.shots = truth[:number], result.shots[:number]
    draw_highlights(path, result.shots, args.out, truth=truth, title=title,
                    num_frames=args.frames)
    print(f'{args.out}: {len(result.shots)} shots, best at '
          + ', '.join(f'{moment["start"]:.0f} s' for moment in result.moments))


if __name__ == '__main__':
    main()
