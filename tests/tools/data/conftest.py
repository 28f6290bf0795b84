"""The scripts in tools/data as modules, and where real annotations may be."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ANNOTATIONS = ROOT.parent / 'shared' / 'data' / 'annotations'


@pytest.fixture(scope='session')
def load_prepare():
    """Import a data set's prepare.py."""
    def load(name):
        path = ROOT / 'tools' / 'data' / name / 'prepare.py'
        spec = importlib.util.spec_from_file_location(f'prepare_{name}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def annotations():
    """The folder of real annotation files."""
    if not ANNOTATIONS.is_dir():
        pytest.skip('the real annotation files of ../shared are not here')
    return ANNOTATIONS
