"""Read hostile files, each in a process of its own; the tests and ``make robustness`` do."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.robustness.fuzz import Mutant, judge, mutants
from tests.robustness.media_cases import PLAIN, Case, check
from tests.robustness.reading import Outcome, in_a_child, read_file

# No file here takes a tenth of it on a busy machine.
DEADLINE_SECONDS = 20


def warm_up() -> None:
    """Import and build what each child would else import and build."""
    torch.set_num_threads(1)  # threads do not survive a fork
    with tempfile.TemporaryDirectory() as folder:
        read_file(str(PLAIN(Path(folder))))


def run_case(case: Case, backend: str) -> tuple[Outcome, str | None]:
    """Write a case's file and read it.

    Returns:
        tuple[Outcome, str | None]: How reading ended, and what is wrong with that, if anything.
    """
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        path = case.write(folder)

        def read() -> dict:
            if case.relative:
                os.chdir(folder)
            meanwhile = case.meanwhile and (lambda: case.meanwhile(path))
            return read_file(path.name if case.relative else str(path), backend, meanwhile)

        # The administrator may read everything.
        user = case.user if os.geteuid() == 0 else None
        outcome = in_a_child(read, seconds=DEADLINE_SECONDS, user=user)
    finally:
        shutil.rmtree(folder)
    if not isinstance(case.expected, str):
        return outcome, str(outcome) if outcome.kind != 'read' else check(
            case.expected, outcome.result)
    as_expected = (outcome.kind == 'error' and path.name in outcome.detail
                   and re.search(case.expected, outcome.detail))
    return outcome, None if as_expected else str(outcome)


def run_mutants(number: int, backend: str) -> Iterator[tuple[Mutant, str]]:
    """Read randomly damaged files; yields each with its verdict."""
    with tempfile.TemporaryDirectory() as folder:
        for mutant in mutants(Path(folder), number):
            outcome = in_a_child(
                lambda mutant=mutant: read_file(str(mutant.path), backend),
                seconds=DEADLINE_SECONDS)
            yield mutant, judge(mutant, outcome)
