"""From video files to labels, with the frames and patches that decided: ``AVInferencer``.

Decoding is staged: sound and the frames that every prediction reads come first, by a thread that
already prepares the next videos; all other frames are decoded when the recognizer asks for them.
"""

import glob
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.infer import BaseInferencer
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress

from avgn_mm.datasets.transforms.cache import CachedAudio, CachedVideo
from avgn_mm.datasets.transforms.video_reader import MediaReadError
from avgn_mm.engine.fast import accelerate
from avgn_mm.engine.weights import check_weights

from .lazy_frames import FrameSource, LazyFrames

# Transforms that read or change the sound; the others see frames.
_AUDIO_TRANSFORMS = ('DecodeAudio', 'LogMel')
# What a video takes to prepare varies much: with one alone in store the model often has to wait.
_BATCHES_AHEAD = 2


@dataclass
class VideoResult:
    """What was found in one video, in plain numbers and strings.

    Attributes:
        filename: As it was given; '<array>' for decoded inputs.
        labels: The best classes: ``label`` (index), ``name``, ``score``, best first.
        saliency: Of the frames that were sampled, in the order of time: ``seconds``, ``score``.
        frames: Those that were looked at closely, in the order in which they were: ``seconds``,
            ``index`` in the file, and ``box``, the patch (left, top, right, bottom) in pixels of
            the file's frames, where the method has patches.
        gmacs: 10^9 multiply-accumulates.
        frames_decoded: How many frames were read from the file.
        exit_step: After how many frames early exit stopped; None without.
        milliseconds: ``open`` (the file's index), ``audio`` (decoding, log-mel), ``frames``
            (decoding, resizing), ``model``. Files are prepared while the model runs, so they do
            not sum up to the time that passes.
        duration_seconds, has_audio: Of the file.
        error: Why there is no answer; None if there is one.
    """
    filename: str
    labels: list[dict] = field(default_factory=list)
    saliency: list[dict] = field(default_factory=list)
    frames: list[dict] = field(default_factory=list)
    gmacs: float | None = None
    frames_decoded: int = 0
    exit_step: int | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    duration_seconds: float | None = None
    has_audio: bool | None = None
    error: str | None = None

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


@dataclass
class _Prepared:
    """A video whose file is open, or that could not be opened."""
    filename: str
    source: FrameSource | None = None
    audios: torch.Tensor | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def close(self) -> None:
        if self.source is not None:
            self.source.close()


class AVInferencer(BaseInferencer):
    """Classify video files with any recognizer of this package.

    ``AVInferencer('avgn_mn2_r50_anet', 'weights.pth')('video.mp4', num_focus=5)``

    Args:
        model (str | Config): A config's name in the model index, its path, or itself. That which
            the weights were saved with is not read from their file: it is code.
        weights (str, optional): Checkpoint. Without it the answers are random.
        device (str, optional): Defaults to None: a GPU if there is one.
        label_file (str, optional): Names of the classes, one a line. Defaults to None: the file
            ``classes.txt`` beside the config's annotations, if it is there.
        top_k (int): How many labels a result has. Defaults to 5.
        sampling (str, optional): ``'cheapest'`` takes from each of the T bins the frame that costs
            least to decode, see ``SampleFrameTimes``. Defaults to None: what the config says.
        fast (dict, optional): Run the encoders faster, see
            :func:`~avgn_mm.engine.fast.accelerate`: ``dict(dtype='bf16', compile=True)``. Defaults
            to None: as they are.
        show_progress (bool): Whether to show a bar for several videos. Defaults to True.

    Raises:
        ValueError: If the model is none of this package's, or the names do not fit it.
    """

    def __init__(self,
                 model: str | Config,
                 weights: str | None = None,
                 *,
                 device: str | None = None,
                 label_file: str | None = None,
                 top_k: int = 5,
                 sampling: str | None = None,
                 fast: dict | None = None,
                 show_progress: bool = True) -> None:
        if model is None:
            raise ValueError(f'AVInferencer needs a config besides {weights}: the one in a '
                             'checkpoint would be run as code')
        init_default_scope('avgn_mm')
        self._sampling = sampling
        self._weights = weights
        super().__init__(model, weights, device, scope='avgn_mm', show_progress=show_progress)
        if not hasattr(self.model, 'unpack'):
            raise ValueError(f'{type(self.model).__name__} does not take its frames one by one: '
                             "AVInferencer wants a recognizer of avgn_mm; MMAction2's own go with "
                             'MMAction2Inferencer')
        self.device = next(self.model.parameters()).device
        if fast is not None:
            accelerate(self.model, **fast)
        self.top_k = top_k
        self.class_names = self._class_names(label_file)

    def __call__(self, inputs: object, *, batch_size: int = 1, **budget) -> list[VideoResult]:
        """Classify videos.

        Args:
            inputs (object): A path, a folder, a pattern such as ``'*.mp4'``, a decoded video, or a
                list of these. A decoded video is a dict of ``frames`` (n, H, W, 3) uint8 RGB,
                ``fps`` and, with sound, ``waveform`` (samples,) float mono at 16 kHz.
            batch_size (int): Videos that the model sees at once. Defaults to 1.
            **budget: Of the model's ``test_cfg``, for this call only: ``num_focus=5``, ...

        Returns:
            list[VideoResult]: One for each video, in order. A video that cannot be read has an
            ``error`` and stops nothing.
        """
        inputs = self.list_files(inputs)
        with self._budget(budget):
            batches = self.preprocess(inputs, batch_size)
            results = []
            if self.show_progress and len(inputs) > batch_size:
                batches = track_iter_progress((batches, -(-len(inputs) // batch_size)))
            for batch in batches:
                results += self.forward(batch)
        return results

    def stream(self, inputs: object, *, batch_size: int = 1, **budget) -> Iterator[VideoResult]:
        """As calling, but give each result as soon as it is there."""
        with self._budget(budget):
            for batch in self.preprocess(self.list_files(inputs), batch_size):
                yield from self.forward(batch)

    def _load_weights_to_model(self, model: torch.nn.Module, checkpoint: dict | None,
                               cfg: Config) -> None:
        if checkpoint is not None:
            check_weights(model, checkpoint, self._weights)
        super()._load_weights_to_model(model, checkpoint, cfg)

    # ------------------------------------------------------------ preparing, in a thread

    def preprocess(self, inputs: Sequence, batch_size: int = 1) -> Iterator[list[_Prepared]]:
        """Open files and read what every prediction needs, some batches ahead of the model."""
        ahead = deque()
        with ThreadPoolExecutor(max_workers=1) as thread:
            try:
                for i in range(0, len(inputs), batch_size):
                    group = inputs[i:i + batch_size]
                    ahead.append(thread.submit(lambda group=group: [*map(self._prepare, group)]))
                    if len(ahead) > _BATCHES_AHEAD:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:  # a caller that stops early leaves no file open
                for future in ahead:
                    for prepared in [] if future.cancel() else future.result():
                        prepared.close()

    def _prepare(self, item: str | dict) -> _Prepared:
        filename = '<array>' if isinstance(item, dict) else str(item)
        prepared = _Prepared(filename)
        try:
            start = time.perf_counter()
            results = self.pipeline['open'](self._results(item))
            prepared.milliseconds['open'] = 1e3 * (time.perf_counter() - start)
            self._attach(prepared, results)
            prepared.source.prefetch(self.model.certain_frames())
        except Exception as error:  # of any file that somebody has; the others must go on
            prepared.close()
            return _Prepared(filename, error=describe(error))
        return prepared

    def _attach(self, prepared: _Prepared, results: dict) -> None:
        """Give a video its frames, which are decoded when they are wanted, and its sound."""
        start = time.perf_counter()
        prepared.source = FrameSource(results, self.pipeline['frames'], self._normalise)
        if self.pipeline['audio'] is not None:
            heard = self.pipeline['audio'](dict(results))
            prepared.audios = self._normalise_audio(torch.from_numpy(heard['audios']))
            prepared.milliseconds['audio'] = 1e3 * (time.perf_counter() - start)

    def _results(self, item: str | dict) -> dict:
        """What a pipeline starts from: a file, or a decoded video as an open one.

        Raises:
            ValueError: If a decoded video is none.
        """
        if not isinstance(item, dict):
            if not Path(item).is_file():
                raise MediaReadError(f'{item}: no such file')
            return dict(filename=str(item))
        frames = np.asarray(item['frames'])
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
            raise ValueError('frames must be (n, H, W, 3) uint8 with n >= 1, got '
                             f'{frames.shape} {frames.dtype}')
        times = np.arange(len(frames)) / item['fps']
        waveform = item.get('waveform')
        video = CachedVideo(frames, times, len(frames) / item['fps'], item['fps'],
                            waveform is not None)
        audio = None if waveform is None else CachedAudio(0, np.asarray(waveform, np.float32))
        return dict(filename='<array>', video_reader=video, audio_reader=audio,
                    total_frames=len(frames), avg_fps=item['fps'], has_audio=video.has_audio,
                    duration_seconds=video.duration_seconds)

    # ------------------------------------------------------------ predicting

    @torch.inference_mode()
    def forward(self, batch: list[_Prepared]) -> list[VideoResult]:
        """Predict a batch; if that fails, its videos one by one, so that a bad one fails alone."""
        readable = [prepared for prepared in batch if prepared.error is None]
        try:
            found = iter(self._predict(readable) if readable else [])
            return [VideoResult(prepared.filename, error=prepared.error)
                    if prepared.error is not None else next(found) for prepared in batch]
        except Exception as error:
            if len(batch) > 1:
                return [result for prepared in batch for result in self.forward([prepared])]
            return [VideoResult(batch[0].filename, error=describe(error))]
        finally:
            for prepared in batch:
                prepared.close()

    def _predict(self, batch: list[_Prepared]) -> list[VideoResult]:
        start = time.perf_counter()
        decoded_before = sum(prepared.source.decode_ms for prepared in batch)
        imgs = LazyFrames([prepared.source for prepared in batch])
        inputs = dict(imgs=imgs)
        if self.pipeline['audio'] is not None:
            inputs['audios'] = torch.stack([prepared.audios for prepared in batch])
        samples = self.model.predict(inputs, [ActionDataSample() for _ in batch])
        if self.device.type == 'cuda':
            torch.cuda.synchronize()
        spent = 1e3 * (time.perf_counter() - start)
        spent -= sum(prepared.source.decode_ms for prepared in batch) - decoded_before
        for prepared in batch:
            prepared.milliseconds.update(
                frames=prepared.source.decode_ms, model=spent / len(batch))
        return [self._result(prepared, sample) for prepared, sample in zip(batch, samples)]

    def _result(self, prepared: _Prepared, sample: ActionDataSample) -> VideoResult:
        """Put a prediction into plain numbers."""
        known = prepared.source.results
        times = known['frame_times']
        scores = sample.pred_score.float().cpu()
        best = scores.topk(min(self.top_k, len(scores)))
        saliency = sample.get('saliency')
        if saliency is not None:
            saliency = [dict(seconds=float(times[i]), score=float(saliency[i]))
                        for i in np.argsort(times, kind='stable')]
        looked_at = [] if sample.get('selected') is None else sample.selected.tolist()
        frames = [dict(index=int(known['frame_inds'][i]), seconds=float(times[i]))
                  for i in looked_at]
        if sample.get('patch_boxes') is not None:
            for frame, box in zip(frames, to_source_pixels(sample.patch_boxes, known)):
                frame['box'] = box
        return VideoResult(
            prepared.filename,
            labels=[dict(label=i, name=self.class_names[i], score=score)
                    for score, i in zip(best.values.tolist(), best.indices.tolist())],
            saliency=saliency or [], frames=frames, gmacs=float(sample.gmacs),
            frames_decoded=prepared.source.num_decoded, exit_step=sample.get('exit_step'),
            milliseconds=prepared.milliseconds,
            duration_seconds=float(known['duration_seconds']), has_audio=bool(known['has_audio']))

    # ------------------------------------------------------------ what BaseInferencer asks for

    def visualize(self, inputs: list, preds: list, **kwargs) -> list:
        """Nothing: results are drawn from what they hold."""
        return []

    def postprocess(self, preds: list, visualization: list, return_datasamples: bool = False,
                    **kwargs) -> list:
        """The results as they are."""
        return preds

    def list_files(self, inputs: object) -> list:
        """Files of folders and patterns, in the order of their names.

        Raises:
            FileNotFoundError: If a pattern or a folder holds no file.
        """
        if isinstance(inputs, (list, tuple)):
            return [item for each in inputs for item in self.list_files(each)]
        if isinstance(inputs, dict):
            return [inputs]
        path = Path(inputs)
        if path.is_dir():
            found = sorted(str(file) for file in path.rglob('*')
                           if file.is_file() and not file.name.startswith('.'))
        elif not path.exists() and glob.has_magic(str(inputs)):
            found = sorted(glob.glob(str(inputs), recursive=True))
        else:
            return [str(inputs)]
        if not found:
            raise FileNotFoundError(f'{inputs} holds no file')
        return found

    def _init_pipeline(self, cfg: Config) -> dict[str, Compose | None]:
        """Cut the test pipeline into opening, sound and frames."""
        # Each file is read once here: nothing is gained by keeping it.
        steps = [{name: value for name, value in step.items() if name != 'cache_bytes'}
                 for step in cfg.test_dataloader.dataset.pipeline]
        kinds = [step['type'] for step in steps]
        for step in steps:
            if step['type'] == 'SampleFrameTimes' and self._sampling is not None:
                step['sampling'] = self._sampling
        if 'DecodeFrames' not in kinds:
            raise ValueError('AVInferencer wants a test pipeline with DecodeFrames, got '
                             f'{", ".join(kinds)}')
        first = kinds.index('DecodeFrames')
        audio = [step for step in steps[first:] if step['type'] in _AUDIO_TRANSFORMS]
        frames = [step for step in steps[first:]
                  if step['type'] not in (*_AUDIO_TRANSFORMS, 'PackActionInputs')]
        self._opening = Compose(steps[:first])
        return dict(open=self._open, frames=Compose(frames),
                    audio=Compose(audio) if audio else None)

    def _init_visualizer(self, cfg: Config) -> None:
        """None is needed, see :meth:`visualize`."""

    def _open(self, results: dict) -> dict:
        """The transforms up to decoding; a decoded video is open already."""
        for transform in self._opening.transforms:
            if 'video_reader' not in results or type(transform).__name__ != 'AVInit':
                results = transform(results)
        return results

    def _load_model_from_metafile(self, model: str) -> tuple[Config, str | None]:
        """A config of the model index, and its weights, if any are published.

        Raises:
            ValueError: If there is none of that name.
        """
        folder = Path(self._get_repo_or_mim_dir('avgn_mm'))
        names = []
        for entry in self._get_models_from_metafile(str(folder)):
            names.append(entry['Name'])
            if entry['Name'].lower() == model.lower():
                return Config.fromfile(folder / entry['Config']), entry.get('Weights')
        raise ValueError(f'{model} is neither a file nor one of the models {", ".join(names)}')

    def _normalise(self, frames: torch.Tensor) -> torch.Tensor:
        return self._preprocess('imgs', frames)

    def _normalise_audio(self, audios: torch.Tensor) -> torch.Tensor:
        return self._preprocess('audios', audios)

    def _preprocess(self, modality: str, values: torch.Tensor) -> torch.Tensor:
        """The model's own preprocessor, for a part of one modality of one video."""
        preprocessor = self.model.data_preprocessor
        preprocessor = getattr(preprocessor, 'preprocessors', {modality: preprocessor})[modality]
        done, _ = preprocessor.preprocess([values.to(self.device)], None)
        return done[0]

    @contextmanager
    def _budget(self, budget: dict) -> Iterator[None]:
        """Change ``test_cfg`` for a while."""
        before = dict(self.model.test_cfg)
        self.model.test_cfg.update(budget)
        try:
            yield
        finally:
            self.model.test_cfg.clear()
            self.model.test_cfg.update(before)

    def _class_names(self, label_file: str | None) -> list[str]:
        number = self.model.cls_head.num_classes
        if label_file is None:
            ann_file = self.cfg.get('test_dataloader', {}).get('dataset', {}).get('ann_file', '')
            label_file = Path(ann_file).parent / 'classes.txt'
            if not label_file.is_file():
                return [f'class {i}' for i in range(number)]
        names = Path(label_file).read_text(encoding='utf-8').splitlines()
        if len(names) != number:
            raise ValueError(f'{label_file} names {len(names)} classes, the model has {number}')
        return names


def describe(error: Exception) -> str:
    """An error as a line; those that speak for themselves without their type."""
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, MediaReadError) else f'{type(error).__name__}: {text}'


def to_source_pixels(boxes: torch.Tensor, known: dict) -> list[list[float]]:
    """Boxes in pixels of the model's input, in those of the file's frames.

    Args:
        boxes (torch.Tensor): (n, 4), left, top, right, bottom.
        known (dict): ``img_shape`` and ``original_shape``, (H, W), and ``crop_quadruple``, what
            part of the original the input shows: x, y, width, height as shares.
    """
    height, width = known['img_shape'][:2]
    original = np.array([known['original_shape'][1], known['original_shape'][0]])
    offset, scale = np.split(np.asarray(known.get('crop_quadruple', (0, 0, 1, 1)), float), 2)
    corners = boxes.float().cpu().numpy().reshape(-1, 2, 2) / (width, height)
    return ((corners * scale + offset) * original).reshape(-1, 4).round(2).tolist()
