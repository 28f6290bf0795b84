from .avgn import AVGN

__all__ = ['AVGN']
