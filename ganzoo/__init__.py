"""ganzoo: a plugin-based GAN zoo with a registry, on PyTorch."""

from importlib.metadata import PackageNotFoundError, version

from ganzoo.hookspecs import hookimpl

try:
    __version__ = version("ganzoo")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__", "hookimpl"]
