"""Two ranks train as one does, and evaluate every video once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    done = subprocess.run(
        [sys.executable, '-m', 'tests.engine.ranks', folder], cwd=ROOT, timeout=300,
        capture_output=True, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''})
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return json.loads((folder / 'results.json').read_text())


def test_two_ranks_train_as_one_does(results):
    one, two = results['one'][0], results['two']
    assert len(one['losses']) == 8
    names = set(one['losses'][0])
    assert {'loss', 'loss_cls', 'loss_saliency', 'loss_mask'} <= names
    for i, alone in enumerate(one['losses']):
        assert sorted(sum((rank['files'][i] for rank in two), [])) == one['files'][i]
        for name in names:
            mean = np.mean([rank['losses'][i][name] for rank in two])
            assert mean == pytest.approx(alone[name], rel=2e-4), (i, name)
    np.testing.assert_allclose(two[0]['weights'], one['weights'], atol=2e-4)
    assert two[0]['weights'] == two[1]['weights']
    assert one['losses'][0]['loss'] != one['losses'][-1]['loss']


def test_every_video_is_evaluated_once(results):
    assert results['evaluated'][0] == {str(size): [size, size] for size in (1, 2, 3, 5)}
