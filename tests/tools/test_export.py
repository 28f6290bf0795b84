"""``export.py``: what it writes gives the eager scores, or the tool says that it does not."""

import json

import numpy as np
import pytest
import torch

from avgn_mm.deployment import export as deployment
from avgn_mm.deployment.graphs import AVGNGraph
from avgn_mm.deployment.stages import StagedAVGN
from tests.scripts import load_script
from tests.tiny import NUM_FRAMES, batch
from tests.tiny_set import write_tiny_set


@pytest.fixture(scope='module')
def tool():
    return load_script('deployment/export.py')


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """Config and checkpoint."""
    return write_tiny_set(tmp_path_factory.mktemp('set'), num_videos=1)


@pytest.mark.parametrize('kind', deployment.FORMATS)
def test_export_is_exact(tool, tiny, tmp_path, capsys, kind):
    if kind == 'onnx':
        pytest.importorskip('onnxruntime')
        pytest.importorskip('onnxscript')
    file = tmp_path / 'graph.pt2'
    tool.main([*tiny, '--format', kind, '--num-glances', '4', '--num-focus', '3', '--out',
               str(file), '--batch-size', '2', '--iters', '3', '--threads', '1',
               '--fast', 'channels-last'])
    printed = capsys.readouterr().out
    assert 'T_G=4, k=3, batch of 2' in printed and 'encodes 7 frames' in printed
    assert 'the same frames were selected in 6' in printed and 'channels-last,fp32' in printed
    inputs, _ = batch(2)
    run = deployment.load_graph(file, kind)
    inputs['audios'] = torch.randn(2, NUM_FRAMES, 1, 96, 64)
    scores, selected, boxes = run(inputs)
    assert scores.shape == (2, 5) and selected.shape == (2, 3) and boxes.shape == (2, 3, 4)


@pytest.mark.slow
def test_stages_read_what_they_need(tool, tiny, tmp_path, capsys):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    folder = tmp_path / 'stages'
    # Every number of steps is compared once.
    tool.main([*tiny, '--format', 'onnx', '--stages', '--raw-frames', '--out', str(folder),
               '--num-glances', '2', '--num-focus', '4', '--iters', '4', '--threads', '1',
               '--cfg-options', 'model.test_cfg.exit_thresholds=[9,8,7,6]'])
    assert 'the same frames were selected in 4' in capsys.readouterr().out
    assert json.loads((folder / 'stages.json').read_text())['thresholds'] == [9, 8, 7, 6]

    class Frames(list):
        def __init__(self):
            self.read = []

        def __getitem__(self, t):
            self.read.append(t)
            return np.zeros((3, 32, 32), dtype=np.uint8)

    staged, frames = StagedAVGN(folder, threads=1), Frames()
    audios = np.zeros((NUM_FRAMES, 1, 96, 64), dtype=np.float32)
    found = staged(frames, audios, [np.inf, -np.inf, np.inf, np.inf])
    assert found['exit_step'] == 2 == len(found['selected']) == len(found['patch_boxes'])
    others = [t for t in found['selected'].tolist() if t >= 2]
    assert frames.read == [0, 1, *others] and found['frames_encoded'] == 2 + len(others)
    with pytest.raises(ValueError, match='3 exit thresholds for 4 steps'):
        staged(frames, audios, [1, 2, 3])


def test_a_wrong_export_fails(tool, tiny, tmp_path, monkeypatch, capsys):
    def broken(model, inputs, args):
        graph = AVGNGraph(model)
        return lambda inputs, _: dict(zip(graph.outputs, [
            graph(**inputs)[0] + float('nan'), *graph(**inputs)[1:]]))

    monkeypatch.setattr(tool, 'export', broken)
    (tmp_path / 'graph').touch()
    with pytest.raises(SystemExit) as stop:
        tool.main([*tiny, '--format', 'torch_export', '--out', str(tmp_path / 'graph'),
                   '--iters', '2'])
    assert stop.value.code == 1 and 'FAILED' in capsys.readouterr().err


def test_errors_say_what_to_do(tool, tiny, tmp_path, monkeypatch):
    out = ['--out', str(tmp_path / 'graph')]
    with pytest.raises(SystemExit, match='--stages'):
        tool.main([*tiny, '--format', 'torch_export', *out, '--cfg-options',
                   'model.test_cfg.exit_thresholds=[1,1,1]'])
    monkeypatch.setattr(deployment, 'find_spec', lambda name: None)
    with pytest.raises(SystemExit, match='pip install onnx onnxruntime onnxscript'):
        tool.main([*tiny, '--format', 'onnx', *out])
