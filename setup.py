"""Installs avgn_mm with its configs, tools and model index, so that they are found by name."""

import os
import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_requirements(name):
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


class BuildWithMim(build_py):
    """Put ``configs``, ``tools`` and ``model-index.yml`` into ``avgn_mm/.mim``.

    MMEngine resolves ``'avgn_mm::...'`` there. A wheel gets copies; an editable install gets links
    (git ignores them), so that an edited config is the one that is found.
    """

    def run(self):
        super().run()
        root = ROOT if self.editable_mode else Path(self.build_lib)
        mim = root / 'avgn_mm' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in ('configs', 'tools', 'model-index.yml'):
            source = ROOT / name
            if self.editable_mode:
                (mim / name).symlink_to(os.path.relpath(source, mim), source.is_dir())
            elif source.is_dir():
                shutil.copytree(source, mim / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(source, mim / name)


setup(
    name='avgn_mm',
    version=runpy.run_path(str(ROOT / 'avgn_mm' / 'version.py'))['__version__'],
    description='AVGN: efficient audio-visual video recognition on MMAction2',
    long_description=(ROOT / 'README.md').read_text() if (ROOT / 'README.md').exists() else '',
    long_description_content_type='text/markdown',
    author='avgn_mm contributors',
    license='Apache License 2.0',
    keywords='video recognition, audio-visual, efficient inference, computer vision',
    packages=find_packages(include=['avgn_mm', 'avgn_mm.*']),
    python_requires='>=3.10,<3.14',
    install_requires=read_requirements('runtime'),
    extras_require={
        'optional': read_requirements('optional'),
        'tests': read_requirements('tests'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
    classifiers=[
        'Development Status :: 4 - Beta',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
