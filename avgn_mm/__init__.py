"""avgn_mm: efficient audio-visual video recognition on MMAction2 and MMEngine."""

from .version import __version__

__all__ = ['__version__']
