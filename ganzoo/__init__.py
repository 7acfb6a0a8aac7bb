"""ganzoo: a plugin-based GAN zoo with a registry, on PyTorch.

``ganzoo.load`` opens a model and ``ganzoo.train`` trains one; ``sample``, ``translate``,
``avatar``, ``evaluate``, ``leaderboard``, ``push``, ``pull``, ``search`` and ``list`` do the same
as their commands.
"""

from __future__ import annotations

# Ctrl-C is handled only after this file has run, so it imports nothing, not even typing
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ganzoo.api import (
        avatar,
        component,
        evaluate,
        leaderboard,
        load,
        pull,
        push,
        sample,
        search,
        train,
        translate,
    )
    from ganzoo.errors import GanzooError
    from ganzoo.hookspecs import hookimpl
    from ganzoo.models.model import Model
    from ganzoo.recipe.listing import list_names as list  # noqa: F401
    from ganzoo.training.trained import TrainedRun

    __version__: str

__all__ = [
    "GanzooError", "Model", "TrainedRun", "__version__", "avatar", "component", "evaluate",
    "hookimpl", "leaderboard", "load", "pull", "push", "sample", "search", "train", "translate",
]  # fmt: skip
#: not in ``__all__``: ``from ganzoo import *`` must not hide Python's ``list``
_NAMES = [*__all__, "list"]
#: names that are not in ``api``, and their modules; no module may share a function's name
_HOMES = {
    "GanzooError": ("errors", "GanzooError"),
    "Model": ("models.model", "Model"),
    "TrainedRun": ("training.trained", "TrainedRun"),
    "hookimpl": ("hookspecs", "hookimpl"),
    "list": ("recipe.listing", "list_names"),
}


def __getattr__(name: str) -> Any:
    """Import each name on first use: ``load`` brings torch, and Ctrl-C may come early."""
    if name == "__version__":
        return _version()
    if name in _NAMES:
        from importlib import import_module

        module, attribute = _HOMES.get(name, ("api", name))
        return getattr(import_module(f"ganzoo.{module}"), attribute)
    raise AttributeError(f"module 'ganzoo' has no attribute '{name}'")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ganzoo")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> Sequence[str]:
    return _NAMES
