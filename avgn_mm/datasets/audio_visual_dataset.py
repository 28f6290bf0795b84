"""Video files with labels, read together with their sound."""

import re

import numpy as np
from mmaction.datasets import VideoDataset
from mmengine.fileio import exists, list_from_file
from mmengine.logging import MMLogger

from avgn_mm.registry import DATASETS

from .bad_files import BadFiles
from .data_root import join_inside
from .now_reading import now_reading
from .transforms import AVInit, MediaReadError
from .transforms.cache import CachedVideo

_INTEGER = re.compile(r'[+-]?\d+')


@DATASETS.register_module()
class AudioVisualDataset(VideoDataset):
    """A list of video files in MMAction2's format: ``path label [label ...]`` a line.

    The labels are the integers at the end of a line, so that a path may hold spaces; blank lines
    are skipped. A list without any label is fine in test mode, for inference: the labels are -1.

    A file that cannot be read is an error with ``on_error='raise'``. With 'skip' it is logged and
    recorded once, and in training another one is drawn in its place. In test mode it becomes a
    black and silent video where ``BadFilesHook`` runs, which counts it as wrong; elsewhere it stays
    an error, so that no video is dropped from a test unseen.

    Args:
        ann_file (str): Path of the list.
        pipeline (list[dict | Callable]): Transforms, the first of them ``AVInit``.
        data_prefix (dict): ``video``: the folder of the files. Defaults to ``dict(video='')``.
        multi_class (bool): A file may have several labels; they become one-hot vectors, as
            ``AccMetric(metric_list=('mean_average_precision', ))`` needs them. Defaults to False.
        num_classes (int, optional): Labels must lie below it. Required with ``multi_class``.
        delimiter (str, optional): What separates path and labels. Defaults to None: white space.
        test_mode (bool): Defaults to False.
        on_error (str): 'skip' or 'raise'. Defaults to 'skip'.
        max_bad_share (float): The greatest share of the list that may be skipped: beyond it, by
            what all processes have found together, reading stops. Defaults to 0.1.
        bad_files (str, optional): Where to record skipped files, a JSON object a line. Defaults to
            None: ``BadFilesHook`` chooses ``work_dir/bad_files.jsonl``.
        allow_outside (bool): Let the list name files outside ``data_prefix['video']``, or outside
            the working directory where that is not given. Defaults to False.
        max_refetch (int): After how many unreadable files in a row training gives up. Defaults to
            100.
        kwargs (dict): See MMAction2's ``VideoDataset`` and MMEngine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the list is missing.
        ValueError: If the list is empty, or a line is malformed or leads out of the data root,
            naming the line.
    """

    def __init__(self,
                 ann_file: str,
                 pipeline: list,
                 *,
                 multi_class: bool = False,
                 num_classes: int | None = None,
                 delimiter: str | None = None,
                 on_error: str = 'skip',
                 max_bad_share: float = 0.1,
                 bad_files: str | None = None,
                 allow_outside: bool = False,
                 max_refetch: int = 100,
                 **kwargs) -> None:
        if multi_class and num_classes is None:
            raise ValueError('multi_class=True needs num_classes: labels become one-hot vectors')
        if on_error not in ('skip', 'raise'):
            raise ValueError(f"on_error must be 'skip' or 'raise', got {on_error!r}")
        if not 0 <= max_bad_share <= 1:
            raise ValueError(f'max_bad_share must be 0 to 1, got {max_bad_share}')
        self.on_error = on_error
        self.max_bad_share = max_bad_share
        self.allow_outside = allow_outside
        self._bad_in_a_row = 0
        self._hook_counts = False
        super().__init__(
            ann_file,
            pipeline,
            multi_class=multi_class,
            num_classes=num_classes,
            delimiter=delimiter,
            max_refetch=max_refetch,
            **kwargs)
        self.bad_files = BadFiles(self.ann_file, bad_files)

    def list_bad_files(self, path: str) -> None:
        """Record skipped files there, unless the constructor says where, and skip in tests too.

        The caller sees to it that data samples with a field ``unreadable``, the name of a file,
        are counted as wrong.
        """
        self._hook_counts = True
        if self.bad_files.path is None:
            self.bad_files = BadFiles(self.ann_file, path)

    def load_data_list(self) -> list[dict]:
        """Read the list.

        Returns:
            list[dict]: ``filename`` and ``label`` (an int, or a list of ints with multi_class) of
            each file.
        """
        if not exists(self.ann_file):
            raise FileNotFoundError(f'annotation list {self.ann_file} does not exist; it should '
                                    'hold one "path label [label ...]" a line')
        folder = self.data_prefix.get('video') or ''
        data_list = []
        first_unlabelled = None
        for number, line in enumerate(list_from_file(self.ann_file), start=1):
            if not line.strip():
                continue
            where = f'{self.ann_file}:{number}'
            path, labels = self._parse_line(line.strip(), where)
            if not labels:
                first_unlabelled = first_unlabelled or where
            label = labels if self.multi_class else (labels or [-1])[0]
            filename = join_inside(folder, path, where, self.allow_outside)
            data_list.append(dict(filename=filename, label=label))
        if not data_list:
            raise ValueError(f'{self.ann_file} lists no file')
        if first_unlabelled and not (self.test_mode and not self.multi_class
                                     and all(item['label'] == -1 for item in data_list)):
            raise ValueError(f'{first_unlabelled}: no label after the path; a list may lack labels '
                             'only in test mode, without multi_class, and in every line')
        return data_list

    def _parse_line(self, line: str, where: str) -> tuple[str, list[int]]:
        if self.delimiter is None:
            path, fields = line, []
            while (parts := path.rsplit(maxsplit=1))[1:] and _INTEGER.fullmatch(parts[1]):
                path = parts[0]
                fields.insert(0, parts[1])
        else:
            path, *fields = line.split(self.delimiter)
            fields = [field.strip() for field in fields if field.strip()]
        wrong = [field for field in fields if not _INTEGER.fullmatch(field)]
        if wrong or not path or _INTEGER.fullmatch(path):
            raise ValueError(f'{where}: expected "path label [label ...]" with integer labels, '
                             f'got {line!r}')
        labels = [int(field) for field in fields]
        if len(labels) > 1 and not self.multi_class:
            raise ValueError(f'{where}: {len(labels)} labels {labels} for {path!r}; set '
                             'multi_class=True for several labels a file')
        limit = float('inf') if self.num_classes is None else self.num_classes
        outside = [label for label in labels if not 0 <= label < limit]
        if outside:
            raise ValueError(f'{where}: label {outside[0]} is not in 0..num_classes-1 '
                             f'(num_classes={self.num_classes})')
        return path, labels

    def prepare_data(self, idx: int) -> dict | None:
        """Run the pipeline on a file.

        Returns:
            dict | None: The packed sample. For a skipped file None in training, which makes the
            dataset draw another index, and a black and silent video in a test.

        Raises:
            MediaReadError: For an unreadable file that may not be skipped.
            RuntimeError: If too many files are unreadable.
        """
        try:
            with now_reading(self.get_data_info(idx)['filename']):
                sample = super().prepare_data(idx)
            self._bad_in_a_row = 0
            return sample
        except MediaReadError as error:
            if self.on_error == 'raise' or (self.test_mode and not self._hook_counts):
                raise
            self._record(idx, error)
            return self._blank(idx) if self.test_mode else None

    def _record(self, idx: int, error: MediaReadError) -> None:
        filename = self.get_data_info(idx)['filename']
        if self.bad_files.add(filename, str(error)):
            outcome = 'it counts as wrong' if self.test_mode else 'training goes on with another'
            MMLogger.get_current_instance().warning(f'{error}; {outcome}')
        listed = f', see {self.bad_files.path}' if self.bad_files.path else ''
        if len(self.bad_files) > self.max_bad_share * len(self):
            raise RuntimeError(
                f'{len(self.bad_files)} of the {len(self)} files of {self.ann_file} cannot be '
                f'read, more than max_bad_share={self.max_bad_share} allows{listed}. The last: '
                f'{error}')
        self._bad_in_a_row += 1
        if self._bad_in_a_row > self.max_refetch and not self.test_mode:
            raise RuntimeError(
                f'{self._bad_in_a_row} files of {self.ann_file} in a row cannot be read, more than '
                f'max_refetch={self.max_refetch} allows{listed}. The last: {error}')

    def _blank(self, idx: int) -> dict:
        """Run the pipeline on one black frame in place of an unreadable file."""
        results = self.get_data_info(idx)
        filename = results['filename']
        video = CachedVideo(np.zeros((1, 256, 256, 3), np.uint8), np.zeros(1), 1.0, 1.0, False)
        results.update(video_reader=video, audio_reader=None, total_frames=1, avg_fps=video.avg_fps,
                       duration_seconds=video.duration_seconds, has_audio=False)
        for transform in self.pipeline.transforms:
            if not isinstance(transform, AVInit):
                results = transform(results)
        results['data_samples'].set_metainfo(dict(unreadable=filename))
        return results
