"""Video files with labels, read together with their sound."""

import os.path as osp
import re

from mmaction.datasets import VideoDataset
from mmengine.fileio import exists, list_from_file
from mmengine.logging import MMLogger

from avgn_mm.registry import DATASETS

from .transforms import MediaReadError

_INTEGER = re.compile(r'[+-]?\d+')


@DATASETS.register_module()
class AudioVisualDataset(VideoDataset):
    """A list of video files in MMAction2's format: ``path label [label ...]`` a line.

    The labels are the integers at the end of a line, so that a path may hold spaces; blank lines
    are skipped. A list without any label is fine in test mode, for inference: the labels are -1.

    A file that cannot be read is logged once and replaced by a random other one in training, and
    is an error in test mode.

    Args:
        ann_file (str): Path of the list.
        pipeline (list[dict | Callable]): Transforms, the first of them ``AVInit``.
        data_prefix (dict): ``video``: the folder of the files. Defaults to ``dict(video='')``.
        multi_class (bool): A file may have several labels; they become one-hot vectors, as
            ``AccMetric(metric_list=('mean_average_precision', ))`` needs them. Defaults to False.
        num_classes (int, optional): Labels must lie below it. Required with ``multi_class``.
        delimiter (str, optional): What separates path and labels. Defaults to None: white space.
        test_mode (bool): Defaults to False.
        max_refetch (int): After how many unreadable files in a row training gives up. Defaults to
            100.
        kwargs (dict): See MMAction2's ``VideoDataset`` and MMEngine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the list is missing.
        ValueError: If the list is empty or a line is malformed, naming the line.
    """

    def __init__(self,
                 ann_file: str,
                 pipeline: list,
                 *,
                 multi_class: bool = False,
                 num_classes: int | None = None,
                 delimiter: str | None = None,
                 max_refetch: int = 100,
                 **kwargs) -> None:
        if multi_class and num_classes is None:
            raise ValueError('multi_class=True needs num_classes: labels become one-hot vectors')
        self._reported: set[str] = set()
        super().__init__(
            ann_file,
            pipeline,
            multi_class=multi_class,
            num_classes=num_classes,
            delimiter=delimiter,
            max_refetch=max_refetch,
            **kwargs)

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
            data_list.append(dict(filename=osp.join(folder, path), label=label))
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
            dict | None: The packed sample. None, which makes the dataset draw another index, for
            an unreadable file in training.

        Raises:
            MediaReadError: For an unreadable file in test mode.
        """
        try:
            return super().prepare_data(idx)
        except MediaReadError as error:
            if self.test_mode:
                raise
            if str(error) not in self._reported:
                self._reported.add(str(error))
                MMLogger.get_current_instance().warning(
                    f'{error}; training goes on with another file')
            return None
