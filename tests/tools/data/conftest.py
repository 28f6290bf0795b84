"""The scripts in tools/data as modules, and where real annotations may be."""

from pathlib import Path

import pytest

from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[3]
ANNOTATIONS = ROOT.parent / 'shared' / 'data' / 'annotations'


@pytest.fixture(scope='session')
def load_prepare():
    """Import a data set's prepare.py."""
    return lambda name: load_script(f'data/{name}/prepare.py')


@pytest.fixture(scope='session')
def annotations():
    """The folder of real annotation files."""
    if not ANNOTATIONS.is_dir():
        pytest.skip('the real annotation files of ../shared are not here')
    return ANNOTATIONS
