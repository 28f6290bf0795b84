"""From files to labels: as the test pipeline says, reading no more than needed, come what may."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from avgn_mm.apis import AVInferencer
from avgn_mm.apis.inferencer import to_source_pixels
from avgn_mm.apis.lazy_frames import FrameSource
from avgn_mm.registry import DATASETS
from tests.media import write_clip
from tests.tiny import NUM_CLASSES, NUM_FRAMES
from tests.tiny_set import write_tiny_set


@pytest.fixture(scope='module')
def tiny_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp('set')
    return folder, *write_tiny_set(folder, num_videos=4)


@pytest.fixture(scope='module')
def inferencer(tiny_set):
    return AVInferencer(*tiny_set[1:], device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def clips(tiny_set):
    return [str(tiny_set[0] / f'test{i}.mp4') for i in range(4)]


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize('budget', [(2, 1), (4, 3), (8, 8)])
def test_equals_the_test_pipeline(inferencer, clips, budget, batch_size):
    num_glances, num_focus = budget
    results = inferencer(clips, batch_size=batch_size, num_glances=num_glances,
                         num_focus=num_focus)
    dataset = DATASETS.build(inferencer.cfg.test_dataloader.dataset)
    inferencer.model.test_cfg.update(num_glances=num_glances, num_focus=num_focus)
    for i, result in enumerate(results):
        with torch.inference_mode():
            (sample, ) = inferencer.model.test_step(pseudo_collate([dataset[i]]))
        assert result.filename == clips[i] and result.error is None
        assert result.labels[0]['label'] == int(sample.pred_label)
        scores = {label['label']: label['score'] for label in result.labels}
        np.testing.assert_allclose([scores[c] for c in range(NUM_CLASSES)],
                                   sample.pred_score.numpy(), atol=1e-5)
        assert result.gmacs == pytest.approx(sample.gmacs)
        assert len(result.frames) == num_focus and len(result.saliency) == NUM_FRAMES


def test_reads_what_it_looks_at_and_nothing_else(inferencer, clips):
    for result in inferencer(clips, num_glances=2, num_focus=1):
        assert 2 <= result.frames_decoded <= 3
    for result in inferencer(clips, num_glances=8, num_focus=1):
        assert result.frames_decoded == 8


def test_budget_is_for_one_call(inferencer, clips):
    before = dict(inferencer.model.test_cfg)
    inferencer(clips[0], num_focus=1)
    assert dict(inferencer.model.test_cfg) == before


def test_bad_files_do_not_stop_the_others(inferencer, clips, tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'empty.mp4').write_bytes(b'')
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(open(clips[0], 'rb').read()[:3000])
    inputs = [clips[0], str(tmp_path), str(tmp_path / 'absent.mp4'), clips[1]]
    for batch_size in (1, 4):
        results = inferencer(inputs, batch_size=batch_size)
        assert [result.error is None for result in results] == [True, *[False] * 4, True]
        for result in results[1:5]:
            assert result.filename in result.error and not result.labels


def test_folder_and_pattern(inferencer, tiny_set):
    folder = tiny_set[0]
    names = [result.filename for result in inferencer(str(folder / 'test*.mp4'))]
    assert names == [str(folder / f'test{i}.mp4') for i in range(4)]
    with pytest.raises(FileNotFoundError, match='holds no file'):
        inferencer(str(folder / '*.avi'))


def test_decoded_video(inferencer):
    rng = np.random.default_rng(0)
    frames = rng.integers(256, size=(20, 48, 64, 3), dtype=np.uint8)
    video = dict(frames=frames, fps=5, waveform=rng.normal(size=64000).astype(np.float32))
    (result, ) = inferencer(video)
    assert result.error is None and result.has_audio and result.duration_seconds == 4
    (deaf, ) = inferencer(dict(frames=frames, fps=5))
    assert deaf.has_audio is False and deaf.error is None
    (wrong, ) = inferencer(dict(frames=frames.astype(float), fps=5))
    assert 'uint8' in wrong.error


def test_boxes_in_source_pixels():
    known = dict(img_shape=(224, 224), original_shape=(256, 512),
                 crop_quadruple=(0.0625, 0.0625, 0.875, 0.875))
    boxes = torch.tensor([[0., 0., 224., 224.], [112., 56., 168., 112.]])
    assert to_source_pixels(boxes, known) == [[32, 16, 480, 240], [256, 72, 368, 128]]
    assert to_source_pixels(boxes[1:], dict(img_shape=(224, 224), original_shape=(224, 224))) == [
        [112, 56, 168, 112]]


def test_results_are_json(inferencer, clips):
    (result, ) = inferencer(clips[0])
    assert json.loads(json.dumps(result.to_dict()))['labels'] == result.labels
    assert set(result.milliseconds) == {'open', 'audio', 'frames', 'model'}


def test_class_names(tiny_set, tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('\n'.join(f'name {i}' for i in range(NUM_CLASSES)))
    named = AVInferencer(*tiny_set[1:], device='cpu', label_file=str(path), show_progress=False)
    assert named.class_names[2] == 'name 2'
    path.write_text('one')
    with pytest.raises(ValueError, match='names 1 classes, the model has 5'):
        AVInferencer(*tiny_set[1:], device='cpu', label_file=str(path))


def test_model_by_name():
    inferencer = AVInferencer('adafocusv2_glancebench-mini', device='cpu', show_progress=False)
    assert type(inferencer.model).__name__ == 'AdaFocusV2'
    with pytest.raises(ValueError, match='no_such_model is neither a file nor one of the models'):
        AVInferencer('no_such_model', device='cpu')


def test_stock_recognizers_are_refused():
    cfg = Config.fromfile('configs/uniform/tsn_glancebench-mini.py')
    with pytest.raises(ValueError, match='MMAction2Inferencer'):
        AVInferencer(cfg, device='cpu')


def test_stopping_early_leaves_no_thread_waiting_and_no_file_open(inferencer, clips, monkeypatch):
    prepared, prepare = [], AVInferencer._prepare
    monkeypatch.setattr(AVInferencer, '_prepare', lambda self, item: prepared.append(
        prepare(self, item)) or prepared[-1])
    closed, close = [], FrameSource.close
    monkeypatch.setattr(FrameSource, 'close', lambda self: closed.append(self) or close(self))
    stream = inferencer.stream(clips * 4)
    assert next(stream).filename == clips[0]
    stream.close()
    assert 1 <= len(prepared) <= 3  # two are prepared ahead
    assert {id(each.source) for each in prepared} == {id(source) for source in closed}


def test_variable_sizes_of_one_batch(inferencer, tmp_path, clips):
    """The pipeline makes one size of them; the boxes are in each file's own pixels."""
    write_clip(tmp_path / 'large.mp4', fps=5)
    results = inferencer([clips[0], str(tmp_path / 'large.mp4')], batch_size=2)
    assert [result.error for result in results] == [None, None]
