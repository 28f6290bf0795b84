"""The analysis tools as modules, and a config that they measure in no time."""


import pytest

from tests.scripts import load_script
from tests.tiny import IMAGE_SIZE, NUM_FRAMES, avgn_config


@pytest.fixture(scope='session')
def load_tool():
    """Import a tool by its name."""
    return lambda name: load_script(f'analysis_tools/{name}.py')


@pytest.fixture(scope='session')
def infer():
    return load_script('infer.py')


@pytest.fixture(scope='session')
def tiny_config(tmp_path_factory):
    """A config file of the tiny AVGN; its pipeline crops."""
    pipeline = [
        dict(type='AVInit'), dict(type='SampleFrameTimes', num_frames=NUM_FRAMES, test_mode=True),
        dict(type='DecodeFrames'), dict(type='CenterCrop', crop_size=IMAGE_SIZE),
        dict(type='FormatShape', input_format='NCHW'), dict(type='DecodeAudio'),
        dict(type='LogMel'), dict(type='PackActionInputs', collect_keys=('imgs', 'audios'))]
    model = avgn_config(data_preprocessor=dict(
        type='MultiModalDataPreprocessor', preprocessors={
            name: dict(type='ActionDataPreprocessor') for name in ('imgs', 'audios')}))
    path = tmp_path_factory.mktemp('configs') / 'tiny.py'
    path.write_text(f"default_scope = 'avgn_mm'\nmodel = {model}\n"
                    f'test_dataloader = dict(dataset=dict(pipeline={pipeline}))\n')
    return str(path)


@pytest.fixture(scope='session')
def resnet_config(tmp_path_factory):
    """A config file of a TSN on torchvision's ResNet-18: two clips of one 224-px frame.

    It asks for weights that there are not.
    """
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=2, test_mode=True),
        dict(type='DecordDecode'), dict(type='Resize', scale=(-1, 256)),
        dict(type='CenterCrop', crop_size=224), dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs')]
    model = dict(
        type='Recognizer2D', backbone=dict(type='torchvision.resnet18', weights='ABSENT'),
        cls_head=dict(type='TSNHead', num_classes=5, in_channels=512, average_clips='prob'))
    path = tmp_path_factory.mktemp('configs') / 'resnet.py'
    path.write_text(f"default_scope = 'avgn_mm'\nmodel = {model}\n"
                    f'test_dataloader = dict(dataset=dict(pipeline={pipeline}))\n')
    return str(path)
