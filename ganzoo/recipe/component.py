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


def split_component(node: Node, own: Iterable[str]) -> dict[str, Any]:
    """Split a section into its ``use``, its ``own`` keys, and the rest as ``arguments``."""
    plain = node.plain()
    own = ("use", *own)
    rest = {key: value for key, value in plain.items() if key not in own}
    return {key: plain[key] for key in own if key in plain} | {"arguments": rest}
