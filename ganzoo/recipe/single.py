"""Check one component and its arguments outside of a recipe, as a command names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ganzoo.formats.tree import Mark
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.checker import Checker, Problems, default_node
from ganzoo.recipe.component import Component, split_component
from ganzoo.recipe.inheritance import override


def component(kind: str, use: str, overrides: Iterable[str], registry: Registry) -> Component:
    """Complete the arguments of a component from ``overrides`` such as ``"sigma=2"``.

    Raises RecipeError with every problem at once.
    """
    registry.get(kind, use)
    problems = Problems()
    bare = replace(default_node({"use": use}), at=Mark("--set"))
    root = override(bare, overrides, problems.items)
    node = Checker(registry, problems).component(kind, root, "")
    problems.raise_any()
    return Component(**split_component(node, ()))
