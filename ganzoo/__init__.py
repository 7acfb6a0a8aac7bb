"""ganzoo: a plugin-based GAN zoo with a registry, on PyTorch.

``ganzoo.load`` brings a model, ``train`` makes one, ``push`` publishes it, ``search`` finds others.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ganzoo.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.api import load, push, search, train
    from ganzoo.errors import GanzooError
    from ganzoo.model import Model

try:
    __version__ = version("ganzoo")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["GanzooError", "Model", "__version__", "hookimpl", "load", "push", "search", "train"]
_HOMES = {"GanzooError": "errors", "Model": "model"}


def __getattr__(name: str) -> Any:
    """``load`` and the like bring torch, so they are imported when they are asked for."""
    if name in __all__:
        return getattr(import_module(f"ganzoo.{_HOMES.get(name, 'api')}"), name)
    raise AttributeError(f"module 'ganzoo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
