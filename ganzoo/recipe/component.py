"""A registered name with its arguments, as recipes and benchmarks write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ganzoo.formats.tree import Node

#: the keys of a mapping in a file
Section = dict[str, Node]


@dataclass(frozen=True)
class Component:
    """A registered name and its constructor's arguments, defaults included."""

    use: str
    arguments: Mapping[str, Any]


def split_component(node: Node, keys: Iterable[str]) -> dict[str, Any]:
    """Split a section into its ``use``, other ``keys``, and the rest as ``arguments``."""
    plain = node.plain()
    keys = ("use", *keys)
    arguments = {key: value for key, value in plain.items() if key not in keys}
    return {key: plain[key] for key in keys if key in plain} | {"arguments": arguments}
