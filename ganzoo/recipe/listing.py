"""List the names of components, recipes, benchmarks and models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import overload

from ganzoo.errors import RecipeError, nearest, one_of
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import KINDS, Registry
from ganzoo.plugins.shipped import shipped_benchmarks, shipped_models, shipped_recipes

LISTS = (*KINDS, "recipe", "benchmark", "model")


@overload
def list_names(kind: str) -> list[str]: ...
@overload
def list_names(kind: None = None) -> dict[str, list[str]]: ...
def list_names(kind: str | None = None) -> list[str] | dict[str, list[str]]:
    """List the installed names of a kind; without ``kind``, of every kind.

    >>> ganzoo.list("recipes")
    >>> ganzoo.list()["losses"]

    Raises RecipeError for an unknown kind.
    """
    registry = installed().registry
    if kind is not None:
        return _names(kind_of(kind, LISTS), registry)
    return {plural(one): _names(one, registry) for one in LISTS}


def _names(kind: str, registry: Registry) -> list[str]:
    if kind == "model":
        return list(shipped_models())
    if kind == "benchmark":
        return list(shipped_benchmarks(registry))
    if kind == "recipe":
        return list(shipped_recipes(registry))
    return list(registry.names(kind))


def kind_of(word: str, kinds: Iterable[str]) -> str:
    """Return the kind that ``word`` means, singular or plural.

    Raises RecipeError that lists the kinds.
    """
    singular = {plural(kind): kind for kind in kinds}.get(word, word)
    if singular not in kinds:
        raise RecipeError([f"unknown kind '{word}'{nearest(word, kinds)} Kinds: {one_of(kinds)}."])
    return singular


def plural(kind: str) -> str:
    """Return the heading of a kind's list."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
