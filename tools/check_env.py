"""Say in plain words what this environment lacks, and the pip line that mends it.

``python tools/check_env.py`` needs nothing but Python, so that it runs where nothing else does.
It compares the installed versions with ``requirements/runtime.txt`` (in an installed package with
the package's own metadata) and with what the installed packages ask of each other, then imports
those that often fail to load. The exit code is 1 if anything is wrong.
"""

# Lets an old Python parse this file and reach the message that it is too old.
from __future__ import annotations

import importlib
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

try:
    from packaging.requirements import Requirement
except ImportError:
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        Requirement = None

ROOT = Path(__file__).resolve().parent.parent
MIN_PYTHON, END_PYTHON = (3, 10), (3, 14)
TORCH = ('torch', 'torchvision', 'torchaudio')
REASONS = {
    'av': 'PyAV reads the audio, and the frames where decord cannot',
    'importlib_metadata': 'MMAction2 imports it without declaring it',
    'mmcv-lite': 'MMAction2 1.2 refuses mmcv 2.2 and newer',
    'setuptools': 'MMEngine 0.10.7 imports pkg_resources, which setuptools 82 no longer has',
}
# Packages whose binary parts may not fit each other although their versions do.
IMPORTS = {
    'numpy': 'numpy',
    'torch': 'torch',
    'torchvision': 'torchvision',
    'torchaudio': 'torchaudio',
    'opencv-contrib-python': 'cv2',
    'decord': 'decord',
    'av': 'av',
    'mmengine': 'mmengine',
    'mmcv-lite': 'mmcv',
    'mmaction2': 'mmaction',
}


def installed_version(name: str) -> str | None:
    """The version of a distribution or None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def wanted_lines() -> list[str]:
    """The requirements of avgn_mm, one string each, without comments."""
    file = ROOT / 'requirements' / 'runtime.txt'
    lines = file.read_text().splitlines() if file.is_file() else metadata.requires('avgn_mm')
    return [line for line in lines if line and not line.startswith('#')]


class Problem(NamedTuple):
    """What is wrong, the packages whose installation mends it, and pip's flag for that."""

    message: str
    packages: tuple[str, ...]
    flag: str = ''


def applicable(lines: list[str]) -> dict[str, Requirement]:
    """Parse the requirement lines that apply to this machine, by the name to look for."""
    wanted = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
            name = requirement.name
            # The full mmcv does as well as mmcv-lite; both install the module `mmcv`.
            if name == 'mmcv-lite' and not installed_version(name) and installed_version('mmcv'):
                name = 'mmcv'
            wanted[name] = requirement
    return wanted


def check_versions(wanted: dict[str, Requirement]) -> list[Problem]:
    """Compare installed versions with ours, and with what the packages ask of one another."""
    problems = []
    for name, requirement in wanted.items():
        version = installed_version(name)
        reason = f' ({REASONS[requirement.name]})' if requirement.name in REASONS else ''
        if version is None:
            problems.append(Problem(f'{name} is not installed{reason}', (name,)))
        elif not requirement.specifier.contains(version, prereleases=True):
            message = f'{name} is {version}, but {requirement.specifier} is needed{reason}'
            problems.append(Problem(message, (name,)))
    for owner in filter(installed_version, wanted):
        for requirement in applicable(metadata.requires(owner) or []).values():
            name, version = requirement.name, installed_version(requirement.name)
            fits = version is None or requirement.specifier.contains(version, prereleases=True)
            if name in wanted and not fits:
                message = f'{owner} {installed_version(owner)} was made for {requirement}, '
                message += f'but {name} is {version}'
                packages = TORCH if owner in TORCH and name in TORCH else (owner, name)
                problems.append(Problem(message, packages, '--upgrade'))
    return problems


def check_imports() -> list[Problem]:
    """Import what is installed, and name what fails with the error it gives."""
    problems = []
    for name, module in IMPORTS.items():
        if installed_version(name) is None:
            continue
        try:
            importlib.import_module(module)
        except Exception as error:
            summary = (str(error).splitlines() or [''])[0]
            message = f'{name} cannot be imported: {type(error).__name__}: {summary}'
            # Builds from different indexes (with and without CUDA) have equal versions.
            packages = TORCH if name in TORCH else (name,)
            problems.append(Problem(message, packages, '--force-reinstall'))
    return problems


def mending_line(problems: list[Problem], wanted: dict[str, Requirement]) -> str:
    """One pip command for all problems."""
    flags = dict.fromkeys(problem.flag for problem in problems if problem.flag)
    names = dict.fromkeys(name for problem in problems for name in problem.packages)
    packages = [f'"{name}{wanted[name].specifier if name in wanted else ""}"' for name in names]
    constraints = ROOT / 'requirements' / 'constraints.txt'
    if constraints.is_file():
        packages += ['-c', os.path.relpath(constraints)]
    return ' '.join([shlex.quote(sys.executable), '-m pip install', *flags, *packages])


def main() -> int:
    print(f'Python {sys.version.split()[0]}')
    if not MIN_PYTHON <= sys.version_info[:2] < END_PYTHON:
        print('Python 3.10 to 3.13 is needed (tested: 3.11).')
        return 1
    if Requirement is None:
        print('packaging is missing, without which versions cannot be compared. This mends it:')
        print('  python -m ensurepip && python -m pip install packaging')
        return 1
    wanted = applicable(wanted_lines())
    for name, requirement in wanted.items():
        needed = f'(needed: {requirement.specifier or "any version"})'
        print(f'  {name:20} {installed_version(name) or "missing":14} {needed}')
    problems = check_versions(wanted) or check_imports()
    if problems:
        print('\nWhat is wrong:', *(f'- {problem.message}' for problem in problems), sep='\n  ')
        print('\nThis mends it:', mending_line(problems, wanted), sep='\n  ')
        return 1
    torch = importlib.import_module('torch')
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print('\nGPU:', ', '.join(gpus) or 'none found by CUDA; everything runs on the CPU, slower')
    print('Everything fits.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
