"""The wheel holds the package, configs, tools and model index, and nothing else."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from mmengine.hub import get_config
from packaging.requirements import Requirement

import avgn_mm
import avgn_mm.registry  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The names in a wheel that is built from a copy, since building writes beside the sources."""
    folder = tmp_path_factory.mktemp('wheel')
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in ('avgn_mm', 'configs', 'tools', 'requirements', 'tests'):
        shutil.copytree(ROOT / name, folder / 'source' / name, ignore=ignored)
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'model-index.yml'):
        shutil.copy2(ROOT / name, folder / 'source')
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-index']
    command += ['--no-build-isolation', '-w', str(folder), str(folder / 'source')]
    subprocess.run(command, check=True, timeout=300)
    (path,) = folder.glob('avgn_mm-*.whl')
    assert path.name.startswith(f'avgn_mm-{avgn_mm.__version__}-py3')
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if '.dist-info/' not in name}


def files_under(name, pattern='*'):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / name).rglob(pattern)
        if path.is_file() and not {'__pycache__', '.mim'} & set(path.parts)
    }


def test_wheel_holds_every_module(wheel):
    # A folder without __init__.py would be left out, as MMAction2's `drn` was.
    assert files_under('avgn_mm', '*.py') == {n for n in wheel if '/.mim/' not in n}


def test_wheel_holds_configs_tools_and_index(wheel):
    expected = {'model-index.yml'} | files_under('configs') | files_under('tools')
    assert {n.removeprefix('avgn_mm/.mim/') for n in wheel if '/.mim/' in n} == expected


def test_config_resolves_by_name():
    assert (ROOT / 'avgn_mm' / '.mim').is_dir(), 'run `make env` or `pip install -e .`'
    cfg = get_config('avgn_mm::avgn/avgn_mn2_r50_anet.py')
    assert cfg.default_scope == 'avgn_mm'
    # An editable install links to the checkout, so that an edited config is the one found.
    assert Path(cfg.filename).resolve() == ROOT / 'configs' / 'avgn' / 'avgn_mn2_r50_anet.py'


def test_constraints_pin_every_direct_requirement():
    pins = {}
    for line in (ROOT / 'requirements' / 'constraints.txt').read_text().splitlines():
        if not line.startswith('#'):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == '=='
            pins[re.sub(r'[-_.]+', '-', requirement.name).lower()] = specifier.version
    for name in ('runtime', 'optional', 'tests'):
        for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
            if not line.startswith('#'):
                requirement = Requirement(line)
                pin = pins[re.sub(r'[-_.]+', '-', requirement.name).lower()]
                assert requirement.specifier.contains(pin), (line, pin)


def test_model_index_lists_every_config():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert index == sorted(path.relative_to(ROOT).as_posix()
                           for path in ROOT.glob('configs/*/metafile.yml'))
    models = [model for file in index
              for model in yaml.safe_load((ROOT / file).read_text())['Models']]
    for model in models:
        assert Path(model['Config']).stem == model['Name'] and (ROOT / model['Config']).is_file()
    configs = {path.relative_to(ROOT).as_posix() for path in ROOT.glob('configs/[!_]*/*.py')}
    assert {model['Config'] for model in models} == configs
