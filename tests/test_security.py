"""What comes from others cannot run code, and cannot name what it should not."""

import ast
import contextlib
import os
import pickle
import socket
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.registry import DefaultScope

from avgn_mm.apis import AVInferencer
from avgn_mm.apis.highlights import HighlightFinder
from avgn_mm.datasets.data_root import join_inside
from avgn_mm.datasets.transforms.video_reader import MediaReadError, VideoReader
from avgn_mm.evaluation.exits import read_thresholds
from avgn_mm.registry import DATASETS, MODELS
from tests.scripts import load_script
from tests.tiny_set import data_options, write_tiny_set

ROOT = Path(__file__).resolve().parents[1]
MINI = str(ROOT / 'configs' / 'avgn' / 'avgn_glancebench-mini.py')


class Bomb:
    """Creates a file when it is unpickled without protection."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture(scope='module')
def tiny_set(tmp_path_factory):
    return write_tiny_set(tmp_path_factory.mktemp('set'), num_videos=2)[0]


@pytest.fixture
def bomb(tmp_path):
    path = tmp_path / 'bomb.pth'
    torch.save(dict(state_dict={}, meta=Bomb(tmp_path / 'exploded')), path)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_explodes(tmp_path):
    yield
    assert not (tmp_path / 'exploded').exists()


def run_tool(path, *arguments):
    """A tool's ``main`` in this process."""
    tool = load_script(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        tool.main()


# By tool: its arguments, given a config, a checkpoint and a folder to write to.
TOOLS = {
    'train.py, resume': lambda config, bomb, folder: (
        config, '--resume', bomb, '--work-dir', folder),
    'train.py, load_from': lambda config, bomb, folder: (
        config, '--work-dir', folder, '--cfg-options', f'load_from={bomb}'),
    'train.py, resume auto': lambda config, bomb, folder: (
        config, '--resume', 'auto', '--work-dir', Path(bomb).parent),
    'test.py': lambda config, bomb, folder: (config, bomb, '--work-dir', folder),
    'infer.py': lambda config, bomb, folder: (
        'test0.mp4', '--config', config, '--weights', bomb),
    'deployment/export.py': lambda config, bomb, folder: (
        config, bomb, '--format', 'torch_export', '--out', folder / 'graph.pt2'),
    'analysis_tools/benchmark.py': lambda config, bomb, folder: (config, '--checkpoint', bomb),
    'analysis_tools/benchmark_sweep.py': lambda config, bomb, folder: (
        config, bomb, '--num-glances', 2, '--num-focus', 1),
    'analysis_tools/benchmark_videos.py': lambda config, bomb, folder: (
        config, 'test0.mp4', '--checkpoint', bomb, '--no-mmaction2'),
    'analysis_tools/budget_sweep.py': lambda config, bomb, folder: (
        config, bomb, '--num-glances', 2, '--num-focus', 1, '--out', folder),
    'analysis_tools/compare.py': lambda config, bomb, folder: (
        '--model', config, bomb, '--out', folder),
    'analysis_tools/draw_highlights.py': lambda config, bomb, folder: (
        config, bomb, Path(config).parent / 'test0.mp4', '--out', folder / 'a.png'),
    'analysis_tools/solve_exits.py': lambda config, bomb, folder: (
        config, bomb, '--out', folder / 'thresholds.json'),
}


@pytest.mark.parametrize('name', TOOLS)
def test_no_tool_runs_what_a_checkpoint_holds(name, tiny_set, bomb, tmp_path):
    (tmp_path / 'last_checkpoint').write_text(bomb)
    arguments = TOOLS[name](tiny_set, bomb, tmp_path / 'out')
    with pytest.raises(pickle.UnpicklingError, match=r'bomb\.pth was refused.*"\S*open"'):
        run_tool(name.split(',')[0], *arguments)


def test_row_of_a_study_that_was_trained_elsewhere(bomb, videos, glancebench, tmp_path, capsys):
    folder = tmp_path / 'glancebench-mini/no_audio_dropout/seed0'
    folder.mkdir(parents=True)
    os.rename(bomb, folder / 'epoch_8.pth')
    options = [f'{key}={value}' for key, value in data_options(MINI, videos, glancebench).items()]
    run_tool('analysis_tools/study.py', 'table4', '--only', 'no_audio_dropout', '--seeds', 0,
             '--no-train', '--work-dir', tmp_path, '--results', tmp_path / 'results',
             '--cfg-options', *options)
    assert 'FAILED glancebench-mini/no_audio_dropout/seed0, budgets: UnpicklingError' in (
        capsys.readouterr().err)


def test_all_tools_that_take_a_checkpoint_are_here():
    reads = set()
    for path in (ROOT / 'tools').rglob('*.py'):
        text = path.read_text()
        if any(word in text for word in ('load_checkpoint', 'load_model', 'load_from',
                                         'AVInferencer', 'HighlightFinder', 'build_runner')):
            reads.add(path.relative_to(ROOT / 'tools').as_posix())
    # The last one tests what it has trained itself, as tools/test.py does.
    assert reads == {name.split(',')[0] for name in TOOLS} | {
        'analysis_tools/study.py', 'quickstart.py'}


@pytest.mark.parametrize('kind', [AVInferencer, HighlightFinder])
def test_inferencers(kind, tiny_set, bomb):
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        kind(tiny_set, bomb, device='cpu')


@pytest.mark.parametrize('backbone', [
    dict(type='GlanceMobileNetV2'), dict(type='mmaction.ResNet', depth=18)])
def test_pretrained_backbones(backbone, bomb):
    with DefaultScope.overwrite_default_scope('avgn_mm'):
        init_cfg = dict(type='Pretrained', checkpoint=bomb)
        if 'ResNet' in backbone['type']:
            model = MODELS.build(dict(backbone, pretrained=bomb))
        else:
            model = MODELS.build(dict(backbone, init_cfg=init_cfg))
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        model.init_weights()


def test_config_in_a_checkpoint_is_not_run(tiny_set, tmp_path):
    """MMEngine executes ``meta['config']`` when it resumes, ``meta['cfg']`` when it infers."""
    code = f"open({str(tmp_path / 'exploded')!r}, 'w')\nmodel = dict()"
    path = tmp_path / 'code.pth'
    torch.save(dict(state_dict={}, message_hub={}, meta=dict(
        epoch=0, iter=0, config=code, cfg=code)), path)
    with contextlib.suppress(Exception):  # there is nothing in it to go on with
        run_tool('train.py', tiny_set, '--resume', path, '--work-dir', tmp_path / 'out')
    with pytest.raises(ValueError, match='the one in a checkpoint would be run as code'):
        AVInferencer(None, str(path))


def test_thresholds_are_json(tmp_path):
    path = tmp_path / 'thresholds.json'
    path.write_bytes(pickle.dumps(Bomb(tmp_path / 'exploded')))
    with pytest.raises(ValueError, match='thresholds.json is no thresholds file'):
        read_thresholds(str(path))


def test_yaml_holds_no_objects(tmp_path):
    """The model index and its metafiles are YAML, which MMEngine reads."""
    path = tmp_path / 'model-index.yml'
    path.write_text(f"Import: !!python/object/apply:builtins.open ['{tmp_path}/exploded', 'w']\n")
    with pytest.raises(Exception, match='could not determine a constructor'):
        mmengine.load(str(path))
    mmengine.dump(dict(size=(1, 2)), str(path))
    assert mmengine.load(str(path)) == dict(size=(1, 2))


ESCAPES = ['../secret.mp4', 'a/../../secret.mp4', '/etc/passwd', '../videos2/a.mp4']


@pytest.mark.parametrize('path', ESCAPES)
def test_lists_stay_within_the_data_root(path, tmp_path):
    root = tmp_path / 'videos'
    listed = tmp_path / 'list.txt'
    listed.write_text(f'fine.mp4 0\n{path} 1\n')
    cfg = dict(type='avgn_mm.AudioVisualDataset', ann_file=str(listed), pipeline=[],
               data_prefix=dict(video=str(root)))
    with pytest.raises(ValueError, match=r'list\.txt:2: .* lies outside the data root .*videos'):
        DATASETS.build(cfg)
    allowed = DATASETS.build(dict(cfg, allow_outside=True))
    assert allowed.get_data_info(1)['filename'] == os.path.join(root, path)


def test_paths_that_stay_inside(tmp_path):
    root = str(tmp_path)
    assert join_inside(root, 'a b/c.mp4', 'list:1') == f'{root}/a b/c.mp4'
    assert join_inside(root, f'{root}/c.mp4', 'list:1') == f'{root}/c.mp4'
    assert join_inside('', 'a/c.mp4', 'list:1') == 'a/c.mp4'
    assert join_inside('/', '/a/c.mp4', 'list:1') == '/a/c.mp4'
    # A link `a` would lead `a/..` elsewhere.
    assert join_inside(root, 'a/../c.mp4', 'list:1') == f'{root}/c.mp4'
    with pytest.raises(ValueError, match='outside the data root'):
        join_inside('', '/a/c.mp4', 'list:1')


@pytest.mark.parametrize('url', ['http://a.invalid/b.mp4', 'HTTPS://a.invalid/b.mp4',
                                 'file:///etc/passwd', 's3://a/b.mp4'])
def test_urls_in_lists_are_refused(url):
    with pytest.raises(ValueError, match=r'list:1: .* is a URL, and lists name files only'):
        join_inside('videos', url, 'list:1', allow_outside=True)


@pytest.mark.parametrize('content', [
    '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n',
    'ffconcat version 1.0\nfile {url}\n',
    'ffconcat version 1.0\nfile /etc/passwd\n',
], ids=['playlist', 'list over the network', 'list of files'])
@pytest.mark.parametrize('suffix', ['mp4', 'm3u8'])
def test_a_video_file_pulls_in_no_other(content, suffix, tmp_path):
    """What FFmpeg takes for a playlist names a server of this machine, which nobody calls."""
    path = tmp_path / f'list.{suffix}'
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(0.05)
        path.write_text(content.format(url=f'http://127.0.0.1:{server.getsockname()[1]}/a.ts'))
        with pytest.raises(MediaReadError, match=path.name):
            VideoReader(str(path))
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_shell_and_no_eval():
    """No string of ours reaches a shell or the interpreter."""
    for path in [*(ROOT / 'avgn_mm').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            where = f'{path}:{node.lineno}'
            assert called not in ('eval', 'exec', 'os.system', 'os.popen', 'pickle.load',
                                  'pickle.loads', 'yaml.load'), where
            assert not any(word.arg == 'shell' for word in node.keywords), where
            assert not any(word.arg == 'weights_only' and ast.unparse(word.value) == 'False'
                           for word in node.keywords), where
            if called == 'torch.load':
                assert any(word.arg == 'weights_only' for word in node.keywords), where
