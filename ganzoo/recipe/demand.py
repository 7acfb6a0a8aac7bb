"""The words that a recipe may read, so that a dataset makes its costly fields only for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ganzoo.errors import RecipeError
from ganzoo.plugins.registry import KINDS, Registry
from ganzoo.recipe.vocabulary import stem


def words_read(tree: dict[str, Any], registry: Registry) -> set[str]:
    """Return all words that a resolved recipe names, and that its components' methods read.

    That may be more than it reads, as a word may also be the name of something else.
    """
    return {stem(word)[0] for word in _words(tree, registry)}


def _words(value: Any, registry: Registry) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _words(item, registry)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _words(item, registry)
        for kind in KINDS if isinstance(value.get("use"), str) else ():
            with suppress(RecipeError):
                for reads in registry.get(kind, value["use"]).signature.methods.values():
                    yield from (word for word, _ in reads)
