"""Read what a constructor's annotation allows from its source, without importing anything.

``parse`` turns an annotation's syntax tree into a ``Type``.  An annotation that cannot be read
becomes ``Anything``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Protocol

from ganzoo.formats.containers import Mapping, Sequence, bounded, union
from ganzoo.formats.types import Anything, Choice, Number, Reference, Text, Type, finite


class Names(Protocol):
    """The meaning of names in an annotation, in the module that holds it."""

    def original(self, name: str) -> str:
        """Undo an import's renaming: ``import x as name``."""

    def alias(self, name: str) -> tuple[ast.expr, Names] | None:
        """Return the expression assigned to ``name``, and the names for it."""

    def evaluate(self, node: ast.expr) -> Any:
        """Evaluate a literal expression; raises ValueError for any other."""


_BARE: dict[str, Callable[[], Type]] = {
    "int": lambda: Number(integer=True),
    "float": Number,
    "str": Text,
    "Path": lambda: Text(path=True),
    "Extractor": Reference,
    "bool": lambda: Choice((True, False)),
    "None": lambda: Choice((None,)),
    "list": Sequence,
    "Sequence": Sequence,
    "tuple": lambda: Sequence(is_tuple=True),
    "dict": Mapping,
    "Mapping": Mapping,
}
_BOUNDS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt"}
_TYPING = {"List": "list", "Tuple": "tuple", "Dict": "dict"}


def parse(node: ast.expr | None, names: Names, depth: int = 0) -> Type:
    """Turn an annotation's expression into a type; ``Anything`` if it cannot be read."""
    if node is None or depth > 20:
        return Anything()

    def inner(expression: ast.expr) -> Type:
        return parse(expression, names, depth + 1)

    if isinstance(node, ast.Constant):
        if node.value is None:
            return Choice((None,))
        try:  # a forward reference in quotes
            return inner(ast.parse(str(node.value), mode="eval").body)
        except SyntaxError:
            return Anything()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return union([inner(node.left), inner(node.right)])
    if isinstance(node, ast.Subscript):
        items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(_name(node.value, names), items, names, inner)
    if isinstance(node, ast.Name) and (target := names.alias(node.id)):
        return parse(*target, depth + 1)
    return _BARE.get(_name(node, names), Anything)()


def _name(node: ast.expr, names: Names) -> str:
    if isinstance(node, ast.Attribute):
        return _TYPING.get(node.attr, node.attr)
    name = names.original(node.id) if isinstance(node, ast.Name) else ""
    return _TYPING.get(name, name)


def _generic(
    name: str, items: list[ast.expr], names: Names, inner: Callable[[ast.expr], Type]
) -> Type:
    if name == "Literal":
        try:
            values = tuple(names.evaluate(item) for item in items)
        except ValueError:
            return Anything()
        plain = all(one is None or isinstance(one, (bool, int, str)) for one in values)
        return Choice(values) if plain else Anything()
    if name == "Annotated" and items:
        return _annotated(inner(items[0]), items[1:], names)
    if name == "Optional" and items:
        return union([inner(items[0]), Choice((None,))])
    if name == "Union":
        return union([inner(item) for item in items])
    if name in ("list", "Sequence"):
        return Sequence(inner(items[0]))
    if name == "tuple":
        if len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is Ellipsis:
            return Sequence(inner(items[0]), is_tuple=True)
        return Sequence(places=tuple(inner(item) for item in items), is_tuple=True)
    if name in ("dict", "Mapping") and len(items) == 2:
        return Mapping(inner(items[1]))
    return inner(items[0]) if name in ("Final", "Required", "NotRequired") else Anything()


def _annotated(kind: Type, metadata: list[ast.expr], names: Names) -> Type:
    """Apply the bounds of annotated_types and ignore other metadata."""
    bounds: dict[str, float] = {}
    for call in metadata:
        if not isinstance(call, ast.Call):
            continue
        name = _name(call.func, names)
        arguments = {keyword.arg or "": keyword.value for keyword in call.keywords}
        if name in _BOUNDS and call.args:
            arguments[_BOUNDS[name]] = call.args[0]
        if name in _BOUNDS or name == "Interval":
            for bound, expression in arguments.items():
                try:
                    value = names.evaluate(expression)
                except ValueError:
                    continue
                if bound in _BOUNDS.values() and finite(value):
                    bounds[bound] = value
    return bounded(kind, bounds)


def optional(kind: Type, default: Any) -> Type:
    """Extend ``kind`` by the author's default if that is of another kind."""
    if not kind.check(default):
        return kind
    scalar = default is None or isinstance(default, (bool, int, float, str))
    return union([kind, Choice((default,))]) if scalar else Anything()
