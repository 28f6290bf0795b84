"""Odd and broken files: each is read right, or ends in one error that names it."""

from collections import Counter

import pytest
import torch

from tests.robustness.fuzz import VERDICTS
from tests.robustness.media_cases import CASES
from tests.robustness.suite import run_case, run_mutants, warm_up

# `make robustness` runs all of it, and prints the table.
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module', autouse=True)
def warm():
    threads = torch.get_num_threads()
    warm_up()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_case(case):
    if case.missing_codecs:
        pytest.skip(f'PyAV was built without {", ".join(case.missing_codecs)}')
    outcome, wrong = run_case(case, 'pyav')
    assert wrong is None, f'{case.name}: {wrong}'
    assert outcome.seconds < 10


def test_random_damage():
    """``make robustness`` takes more of them."""
    verdicts = dict(run_mutants(50, 'pyav'))
    assert not [(mutant.damage, verdict) for mutant, verdict in verdicts.items()
                if verdict not in VERDICTS]
    counts = Counter(verdicts.values())
    # What is overwritten by other valid data cannot be told.
    assert counts['undetected'] <= 3 and min(counts['right'], counts['error']) >= 10, counts
