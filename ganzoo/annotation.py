"""What a constructor's annotation allows, read from its source without importing anything.

``parse`` turns an annotation's syntax tree into a ``Type``, which checks and converts the plain
values of a recipe, describes itself to a person and to an editor (JSON Schema).  An annotation
that it cannot read is ``Any`` and allows everything.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ganzoo.errors import nearest

Problem = tuple[tuple[str | int, ...], str]  # where inside the value, and what is wrong


class Type:
    """One annotation; everything here is plain data: scalars, lists or tuples, dicts."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Everything that is wrong with ``value``, and where inside it."""
        yield from ()

    def check(self, value: Any) -> str | None:
        """The first complaint about ``value``, or None."""
        for where, complaint in self.problems(value):
            return f"{''.join(f'[{step}]' for step in where)}: {complaint}" if where else complaint
        return None

    def convert(self, value: Any) -> Any:
        """The checked ``value`` as the constructor wants it."""
        return value

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Whether a text is taken to the letter, of which YAML makes ``value``.

        Not where another option takes that value, if it ``is_value`` and nothing beside it.
        """
        return False

    def inside(self, step: str | int) -> Type:
        """What is allowed at ``step`` of a list or mapping."""
        return Anything()

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Where in the checked ``value`` the paths of files and folders are."""
        yield from ()

    def describe(self) -> str:
        """In words, without an article: ``integer of at least 1``."""
        raise NotImplementedError

    def plural(self) -> str:
        """In words, of many: ``integers of at least 1``."""
        words = self.describe()
        return f"({words})" if " or " in words else words

    def json_schema(self) -> dict[str, Any]:
        """The same for editors."""
        raise NotImplementedError

    def _refuse(self, value: Any, hint: str = "") -> Problem:
        words = self.describe()
        article = dict.fromkeys(("number", "path", "list", "mapping", "name"), "a ")
        article["integer"] = "an "
        return (
            (),
            f"expected {article.get(words.split()[0], '')}{words}, not {written(value)}{hint}",
        )


def written(value: Any) -> str:
    """A value as its author would recognise it, in a few words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def finite(value: Any) -> bool:
    """Whether ``value`` is a number that a float can hold (a bool is none)."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and -sys.float_info.max <= value <= sys.float_info.max


@dataclass(frozen=True)
class Anything(Type):
    """``Any``: every plain value but infinity and not-a-number."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Non-finite numbers, however deep."""
        inside = list(value.items()) if isinstance(value, dict) else []
        if isinstance(value, (list, tuple)):
            inside = list(enumerate(value))
        for key, item in inside:
            yield from (((key, *where), what) for where, what in self.problems(item))
        if isinstance(value, float) and not finite(value):
            yield (), f"expected a finite number, not {written(value)}"

    def convert(self, value: Any) -> Any:
        """Tuples as lists, which is what a recipe can hold."""
        if isinstance(value, dict):
            return {key: self.convert(item) for key, item in value.items()}
        return [self.convert(v) for v in value] if isinstance(value, (list, tuple)) else value

    def describe(self) -> str:
        """No restriction."""
        return "anything"

    def json_schema(self) -> dict[str, Any]:
        """No restriction."""
        return {}


@dataclass(frozen=True)
class Number(Type):
    """``int`` or ``float``, with bounds; an integer will do for a float."""

    integer: bool = False
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not such a number, or out of bounds."""
        if (
            not finite(value)
            or (self.integer and not isinstance(value, int))
            or (self.ge is not None and value < self.ge)
            or (self.gt is not None and value <= self.gt)
            or (self.le is not None and value > self.le)
            or (self.lt is not None and value >= self.lt)
        ):
            yield self._refuse(value)

    def convert(self, value: Any) -> Any:
        """A float where a float is asked for."""
        return value if self.integer else float(value)

    def _bounds(self) -> str:
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        bounds = [
            f"{word} {getattr(self, name)}"
            for name, word in words.items()
            if getattr(self, name) is not None
        ]
        if not bounds:
            return ""
        return (" of " if "at " in bounds[0] else " ") + " and ".join(bounds)

    def describe(self) -> str:
        """``integer of at least 1``, ``number above 0 and below 1``."""
        return ("integer" if self.integer else "number") + self._bounds()

    def plural(self) -> str:
        """``integers of at least 1``."""
        return ("integers" if self.integer else "numbers") + self._bounds()

    def json_schema(self) -> dict[str, Any]:
        """Type and bounds."""
        names = {
            "ge": "minimum",
            "gt": "exclusiveMinimum",
            "le": "maximum",
            "lt": "exclusiveMaximum",
        }
        bounds = {word: getattr(self, name) for name, word in names.items()}
        bounds = {word: bound for word, bound in bounds.items() if bound is not None}
        return {"type": "integer" if self.integer else "number", **bounds}


@dataclass(frozen=True)
class Text(Type):
    """``str``; or ``Path``, which becomes absolute."""

    path: bool = False

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not a text."""
        if not isinstance(value, str) or (self.path and (not value or "\0" in value)):
            yield self._refuse(value)

    def convert(self, value: Any) -> Any:
        """A path with ``~`` expanded, absolute, as a text."""
        if not self.path:
            return value
        try:
            return str(Path(value).expanduser().absolute())
        except RuntimeError:  # no such user: a file may be called ~x
            return str(Path(value).absolute())

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Whatever it looks like."""
        return True

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """The value itself, if it is a path."""
        if self.path:
            yield ()

    def describe(self) -> str:
        """``text`` or ``path``."""
        return "path" if self.path else "text"

    def plural(self) -> str:
        """``texts`` or ``paths``."""
        return f"{self.describe()}s"

    def json_schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


#: of components, plugins and recipes: they become parts of paths and of commands
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"


@dataclass(frozen=True)
class Name(Type):
    """A ``str`` that can be part of a path."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not such a text."""
        if not isinstance(value, str) or not re.fullmatch(NAME, value):
            yield self._refuse(value)

    def convert(self, value: Any) -> Any:
        """As it is."""
        return value

    def describe(self) -> str:
        """What makes a name."""
        return "name (up to 80 letters, digits, '-', '_' and '.')"

    def json_schema(self) -> dict[str, Any]:
        """A pattern."""
        return {"type": "string", "pattern": f"^{NAME}$(?!\\n)"}  # $ alone lets one pass in Python


@dataclass(frozen=True)
class Choice(Type):
    """``Literal[...]``, ``bool`` and ``None``: one of some values."""

    values: tuple[Any, ...]

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not one of them."""
        if not any(type(one) is type(value) and one == value for one in self.values):
            texts = [one for one in self.values if isinstance(one, str)]
            yield self._refuse(value, nearest(value, texts) if isinstance(value, str) else "")

    def describe(self) -> str:
        """``one of 32, 64, 128``."""
        if self.values == (True, False):
            return "true or false"
        words = [one if isinstance(one, str) else written(one) for one in self.values]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"

    def plural(self) -> str:
        """``items, each one of 32, 64, 128``."""
        return f"items, each {self.describe()}"

    def json_schema(self) -> dict[str, Any]:
        """An enum."""
        if self.values == (True, False):
            return {"type": "boolean"}
        return {"type": "null"} if self.values == (None,) else {"enum": list(self.values)}


@dataclass(frozen=True)
class Sequence(Type):
    """``list[T]`` and ``tuple[T, ...]``; or ``tuple[A, B]``, where every place has its own type."""

    item: Type = Anything()
    places: tuple[Type, ...] | None = None
    is_tuple: bool = False

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not a list, of the wrong length, or with wrong items."""
        if not isinstance(value, (list, tuple)) or (
            self.places is not None and len(value) != len(self.places)
        ):
            yield self._refuse(value)
            return
        for i, item in enumerate(value):
            for where, complaint in self._at(i).problems(item):
                yield (i, *where), complaint

    def convert(self, value: Any) -> Any:
        """A list, or a tuple where one is asked for."""
        items = [self._at(i).convert(item) for i, item in enumerate(value)]
        return tuple(items) if self.is_tuple else items

    def inside(self, step: str | int) -> Type:
        """The item's type, or that of its place."""
        if self.places is None:
            return self.item
        is_place = isinstance(step, int) and step < len(self.places)
        return self.places[int(step)] if is_place else Anything()

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Those in each item."""
        for i, item in enumerate(value):
            yield from ((i, *where) for where in self._at(i).paths(item))

    def _at(self, i: int) -> Type:
        return self.item if self.places is None else self.places[i]

    def describe(self) -> str:
        """``list of numbers``, ``list of 2 numbers``."""
        if self.places is None:
            return "list" if self.item == Anything() else f"list of {self.item.plural()}"
        if self.places and len(set(self.places)) == 1:
            return f"list of {len(self.places)} {self.places[0].plural()}"
        return f"list of [{', '.join(place.describe() for place in self.places)}]"

    def plural(self) -> str:
        """``lists of numbers``."""
        return self.describe().replace("list", "lists", 1)

    def json_schema(self) -> dict[str, Any]:
        """An array."""
        if self.places is None:
            return {"type": "array", "items": self.item.json_schema()}
        n = len(self.places)
        places = [place.json_schema() for place in self.places]
        return {"type": "array", "prefixItems": places, "minItems": n, "maxItems": n}


@dataclass(frozen=True)
class Mapping(Type):
    """``dict[str, T]``."""

    item: Type = Anything()

    def problems(self, value: Any) -> Iterator[Problem]:
        """Not a mapping, or with wrong values."""
        if not isinstance(value, dict):
            yield self._refuse(value)
            return
        for key, item in value.items():
            for where, complaint in self.item.problems(item):
                yield (key, *where), complaint

    def convert(self, value: Any) -> Any:
        """Every value converted."""
        return {key: self.item.convert(item) for key, item in value.items()}

    def inside(self, step: str | int) -> Type:
        """The type of every value."""
        return self.item

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Those in each value."""
        for key, item in value.items():
            yield from ((key, *where) for where in self.item.paths(item))

    def describe(self) -> str:
        """``mapping of names to numbers``."""
        return f"mapping of names to {self.item.plural()}"

    def json_schema(self) -> dict[str, Any]:
        """An object."""
        return {"type": "object", "additionalProperties": self.item.json_schema()}


@dataclass(frozen=True)
class Union(Type):
    """``A | B``: the first that accepts the value converts it."""

    options: tuple[Type, ...]

    def problems(self, value: Any) -> Iterator[Problem]:
        """Refused by every option; by the only one of its shape, in that one's words."""
        if any(not option.check(value) for option in self.options):
            return
        shape = Mapping if isinstance(value, dict) else Sequence
        alike = [option for option in self.options if isinstance(option, shape)]
        if isinstance(value, (dict, list, tuple)) and len(alike) == 1:
            yield from alike[0].problems(value)
        else:
            yield self._refuse(value)

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Where there is an option for text, and none for the value."""
        texts = [option for option in self.options if isinstance(option, Text)]
        others = (option for option in self.options if option not in texts)
        return bool(texts) and not (is_value and any(not o.check(value) for o in others))

    def inside(self, step: str | int) -> Type:
        """That of the one option that has steps of this kind."""
        shape = Mapping if isinstance(step, str) else Sequence
        alike = [option for option in self.options if isinstance(option, shape)]
        return alike[0].inside(step) if len(alike) == 1 else Anything()

    def convert(self, value: Any) -> Any:
        """As the first option that accepts it does."""
        return self._accepting(value).convert(value)

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Those of the first option that accepts it."""
        return self._accepting(value).paths(value)

    def _accepting(self, value: Any) -> Type:
        return next(option for option in self.options if not option.check(value))

    def describe(self) -> str:
        """``integer or null``."""
        return " or ".join(option.describe() for option in self.options)

    def json_schema(self) -> dict[str, Any]:
        """Any of the options."""
        return {"anyOf": [option.json_schema() for option in self.options]}


class Names(Protocol):
    """What the names in an annotation stand for, in the module that it was written in."""

    def original(self, name: str) -> str:
        """The name that an import renamed to ``name``."""

    def alias(self, name: str) -> tuple[ast.expr, Names] | None:
        """The expression that ``name`` was assigned, and the names for that one."""

    def evaluate(self, node: ast.expr) -> Any:
        """The value of a literal expression; raises ValueError for any other."""


_BARE: dict[str, Callable[[], Type]] = {
    "int": lambda: Number(integer=True),
    "float": Number,
    "str": Text,
    "Path": lambda: Text(path=True),
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
    """The type that an annotation's expression stands for; ``Anything`` if it cannot be told."""
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
        return _union([inner(node.left), inner(node.right)])
    if isinstance(node, ast.Subscript):
        items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(_name(node.value, names), items, names, inner)
    if isinstance(node, ast.Name) and (found := names.alias(node.id)):
        return parse(*found, depth + 1)
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
        return _bounded(inner(items[0]), items[1:], names)
    if name == "Optional" and items:
        return _union([inner(items[0]), Choice((None,))])
    if name == "Union":
        return _union([inner(item) for item in items])
    if name in ("list", "Sequence"):
        return Sequence(inner(items[0]))
    if name == "tuple":
        if len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is Ellipsis:
            return Sequence(inner(items[0]), is_tuple=True)
        return Sequence(places=tuple(inner(item) for item in items), is_tuple=True)
    if name in ("dict", "Mapping") and len(items) == 2:
        return Mapping(inner(items[1]))
    return inner(items[0]) if name in ("Final", "Required", "NotRequired") else Anything()


def _union(options: list[Type]) -> Type:
    flat: list[Type] = []
    for option in options:
        flat += option.options if isinstance(option, Union) else (option,)
    return Anything() if Anything() in flat else Union(tuple(dict.fromkeys(flat)))


def _bounded(kind: Type, metadata: list[ast.expr], names: Names) -> Type:
    """Apply the bounds of annotated_types; any other metadata is not for us."""
    bounds: dict[str, float] = {}
    for call in metadata:
        if not isinstance(call, ast.Call):
            continue
        name = _name(call.func, names)
        written_out = {keyword.arg or "": keyword.value for keyword in call.keywords}
        if name in _BOUNDS and call.args:
            written_out[_BOUNDS[name]] = call.args[0]
        if name in _BOUNDS or name == "Interval":
            for bound, expression in written_out.items():
                try:
                    value = names.evaluate(expression)
                except ValueError:
                    continue
                if bound in _BOUNDS.values() and finite(value):
                    bounds[bound] = value
    if isinstance(kind, Union):
        return Union(tuple(_with_bounds(option, bounds) for option in kind.options))
    return _with_bounds(kind, bounds)


def _with_bounds(kind: Type, bounds: dict[str, Any]) -> Type:
    return replace(kind, **bounds) if isinstance(kind, Number) else kind


def optional(kind: Type, default: Any) -> Type:
    """``kind``, and what the author gave as the default although it is not of that kind."""
    if not kind.check(default):
        return kind
    scalar = default is None or isinstance(default, (bool, int, float, str))
    return _union([kind, Choice((default,))]) if scalar else Anything()
