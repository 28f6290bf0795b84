"""Files that tests of several kinds read."""

import dataclasses

import pytest

from avgn_mm.datasets.glancebench import SPECS, generate
from tests.media import write_clip
from tests.tiny_set import SPLITS


@pytest.fixture(autouse=True)
def checkpoints_are_not_kept(request):
    """Those of all tests together are some 5 GB.

    The folders stay: MMEngine's visualizer, one for all runners of a process, writes to its first.
    """
    folder = request.getfixturevalue('tmp_path') if 'tmp_path' in request.fixturenames else None
    yield
    if folder is not None:
        for path in folder.rglob('*.pth'):
            path.unlink()


@pytest.fixture(scope='session')
def videos(tmp_path_factory):
    """A folder with two short videos, one without sound, and a list."""
    folder = tmp_path_factory.mktemp('videos')
    write_clip(folder / 'v_a.mp4', audio=440.0)
    write_clip(folder / 'v_b.mp4')
    for split in SPLITS:
        (folder / f'{split}.txt').write_text('v_a.mp4 1\nv_b.mp4 3\n')
    return folder


@pytest.fixture(scope='session')
def glancebench(tmp_path_factory):
    """The smallest GlanceBench."""
    folder = tmp_path_factory.mktemp('glancebench')
    spec = dataclasses.replace(SPECS['mini'], num_train=2, num_val=2, num_test=2)
    generate(spec, str(folder), seed=0, workers=1)
    return folder
