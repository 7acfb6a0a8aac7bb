"""ganzoo: a plugin-based GAN zoo with a registry, on PyTorch.

``ganzoo.load`` brings a model, ``train`` makes one, ``push`` publishes it, ``search`` finds others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.api import load, push, search, train
    from ganzoo.errors import GanzooError
    from ganzoo.hookspecs import hookimpl
    from ganzoo.model import Model

    __version__: str

__all__ = ["GanzooError", "Model", "__version__", "hookimpl", "load", "push", "search", "train"]
_HOMES = {"GanzooError": "errors", "Model": "model", "hookimpl": "hookspecs"}


def __getattr__(name: str) -> Any:
    """Import each name when it is asked for: ``load`` brings torch, and Ctrl-C may come early."""
    if name == "__version__":
        return _version()
    if name in __all__:
        return getattr(import_module(f"ganzoo.{_HOMES.get(name, 'api')}"), name)
    raise AttributeError(f"module 'ganzoo' has no attribute '{name}'")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ganzoo")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return [*globals(), *__all__]
