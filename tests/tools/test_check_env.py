"""``tools/check_env.py`` on environments that do not exist: names and versions are faked."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.scripts import load_script

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'check_env.py'
GOOD = {
    'mmaction2': '1.2.0',
    'mmcv-lite': '2.1.0',
    'mmengine': '0.10.7',
    'setuptools': '80.8.0',
    'importlib_metadata': '8.0',
    'torch': '2.11.0',
    'torchaudio': '2.11.0',
    'torchvision': '0.26.0',
    'av': '18.1.0',
    'decord': '0.6.0',
    'matplotlib': '3.10',
    'numpy': '2.2',
}


@pytest.fixture
def check_env(monkeypatch):
    """The script's module in an environment that a test describes with ``check_env.has``."""
    module = load_script('check_env.py')
    module.has = dict(GOOD)
    module.requires = {'torchvision': ['numpy', 'torch (==2.11.0)', 'scipy ; extra == "scipy"']}
    module.unloadable = {}

    def version(name):
        if name not in module.has:
            raise metadata.PackageNotFoundError(name)
        return module.has[name]

    def import_module(name):
        if name in module.unloadable:
            raise module.unloadable[name]
        return __import__(name) if name == 'torch' else None

    monkeypatch.setattr(module.metadata, 'version', version)
    monkeypatch.setattr(module.metadata, 'requires', lambda name: module.requires.get(name))
    monkeypatch.setattr(module.importlib, 'import_module', import_module)
    return module


def test_good_environment(check_env, capsys):
    assert check_env.main() == 0
    assert 'Everything fits.' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('name', 'version', 'says', 'mends'),
    [
        ('av', None, 'av is not installed (PyAV reads', '"av<19,>=13"'),
        ('mmcv-lite', '2.2.0', 'mmcv-lite is 2.2.0, but <2.2.0,>=2.0.0', '"mmcv-lite<2.2.0'),
        ('setuptools', '82.0', 'pkg_resources', '"setuptools<82"'),
        ('mmengine', '0.10.4', 'mmengine is 0.10.4', '"mmengine<0.12,>=0.10.7"'),
        ('torch', '2.13.0', 'torchvision 0.26.0 was made for torch==2.11.0', '--upgrade "torch>='),
    ],
)
def test_one_fault(check_env, capsys, name, version, says, mends):
    check_env.has.pop(name)
    if version is not None:
        check_env.has[name] = version
    assert check_env.main() == 1
    out = capsys.readouterr().out
    assert says in out
    assert mends in out.splitlines()[-1]
    assert '-m pip install' in out.splitlines()[-1]
    assert 'constraints.txt' in out.splitlines()[-1]


def test_prerelease_and_full_mmcv_are_accepted(check_env):
    check_env.has.update(mmengine='0.11.0rc3', mmcv='2.1.0')
    del check_env.has['mmcv-lite']
    assert check_env.main() == 0


def test_packages_that_do_not_load(check_env, capsys):
    check_env.unloadable['torchaudio'] = OSError('libc10_cuda.so: cannot open shared object file')
    assert check_env.main() == 1
    out = capsys.readouterr().out
    assert 'torchaudio cannot be imported: OSError: libc10_cuda.so' in out
    assert '--force-reinstall "torch>=2.6" "torchvision>=0.21" "torchaudio>=2.6"' in out


def test_installed_package_reads_its_own_metadata(check_env, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(check_env, 'ROOT', tmp_path)
    check_env.requires['avgn_mm'] = ['av>=13', 'pytest>=8; extra == "tests"']
    del check_env.has['av']
    assert check_env.main() == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith('-m pip install "av>=13"')


def test_bare_python():
    """``-S`` leaves only the standard library: no packaging, no pip, no torch."""
    run = subprocess.run(
        [sys.executable, '-S', str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert 'packaging is missing' in run.stdout
    assert run.stderr == ''
