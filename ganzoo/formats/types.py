"""Read what a constructor's annotation allows from its source, without importing anything.

``parse`` turns an annotation's syntax tree into a ``Type``.  A ``Type`` checks and converts the
plain values of a recipe, and describes itself in words and as JSON Schema.  An annotation that
cannot be read becomes ``Any``, which allows everything.
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

Problem = tuple[tuple[str | int, ...], str]  # the place inside the value, and the complaint


class Type:
    """One annotation.  Values are plain data: scalars, lists or tuples, dicts."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Yield every fault in ``value`` and its place."""
        yield from ()

    def check(self, value: Any) -> str | None:
        """Return the first complaint about ``value``, or None."""
        for where, complaint in self.problems(value):
            return f"{''.join(f'[{step}]' for step in where)}: {complaint}" if where else complaint
        return None

    def convert(self, value: Any) -> Any:
        """Convert a checked ``value`` for the constructor."""
        return value

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Whether a text that YAML reads as ``value`` should stay a text.

        ``is_value`` says that the whole text is the value.  A union keeps the value if one of its
        options accepts it.
        """
        return False

    def inside(self, step: str | int) -> Type:
        """Return the type at ``step`` of a list or mapping."""
        return Anything()

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the places of file and folder paths in a checked ``value``."""
        yield from ()

    def describe(self) -> str:
        """Describe one value, without an article: ``integer of at least 1``."""
        raise NotImplementedError

    def plural(self) -> str:
        """Describe several: ``integers of at least 1``."""
        words = self.describe()
        return f"({words})" if " or " in words else words

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema, for editors."""
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
    """Show a value in a few words, as its author wrote it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def finite(value: Any) -> bool:
    """Whether ``value`` is a number that fits a float.  A bool is not a number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and -sys.float_info.max <= value <= sys.float_info.max


@dataclass(frozen=True)
class Anything(Type):
    """``Any``: every plain value except infinity and NaN."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report non-finite numbers at any depth."""
        inside = list(value.items()) if isinstance(value, dict) else []
        if isinstance(value, (list, tuple)):
            inside = list(enumerate(value))
        for key, item in inside:
            yield from (((key, *where), what) for where, what in self.problems(item))
        if isinstance(value, float) and not finite(value):
            yield (), f"expected a finite number, not {written(value)}"

    def convert(self, value: Any) -> Any:
        """Turn tuples into lists, since recipes hold lists."""
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
    """``int`` or ``float``, with bounds.  A float accepts an integer."""

    integer: bool = False
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report a value that is not such a number, or is out of bounds."""
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
        """Return a float if the annotation is a float."""
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
        """Give type and bounds."""
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
        """Report anything but a text."""
        if not isinstance(value, str) or (self.path and (not value or "\0" in value)):
            yield self._refuse(value)

    def convert(self, value: Any) -> Any:
        """Expand ``~`` in a path and make it absolute, as a text."""
        if not self.path:
            return value
        try:
            return str(Path(value).expanduser().absolute())
        except RuntimeError:  # no such user: a file may be called ~x
            return str(Path(value).absolute())

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Always."""
        return True

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the value itself if it is a path."""
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


#: names of components, plugins and recipes, which become parts of paths and of commands
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"


@dataclass(frozen=True)
class Name(Type):
    """A ``str`` that can be part of a path."""

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report a text that cannot be part of a path."""
        if not isinstance(value, str) or not re.fullmatch(NAME, value):
            yield self._refuse(value)

    def convert(self, value: Any) -> Any:
        """Return it unchanged."""
        return value

    def describe(self) -> str:
        """Say what makes a name."""
        return "name (up to 80 letters, digits, '-', '_' and '.')"

    def json_schema(self) -> dict[str, Any]:
        """A pattern."""
        # $ also matches before a final newline
        return {"type": "string", "pattern": f"^{NAME}$(?!\\n)"}


@dataclass(frozen=True)
class Choice(Type):
    """``Literal[...]``, ``bool`` and ``None``: one of a few values."""

    values: tuple[Any, ...]

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report any other value."""
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
    """``list[T]`` and ``tuple[T, ...]``; or ``tuple[A, B]``, with a type for each place."""

    item: Type = Anything()
    places: tuple[Type, ...] | None = None
    is_tuple: bool = False

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report anything but a list, a wrong length and wrong items."""
        if not isinstance(value, (list, tuple)) or (
            self.places is not None and len(value) != len(self.places)
        ):
            yield self._refuse(value)
            return
        for i, item in enumerate(value):
            for where, complaint in self._at(i).problems(item):
                yield (i, *where), complaint

    def convert(self, value: Any) -> Any:
        """Return a tuple if the annotation is a tuple, else a list."""
        items = [self._at(i).convert(item) for i, item in enumerate(value)]
        return tuple(items) if self.is_tuple else items

    def inside(self, step: str | int) -> Type:
        """Return the type of the item at ``step``."""
        if self.places is None:
            return self.item
        is_place = isinstance(step, int) and step < len(self.places)
        return self.places[int(step)] if is_place else Anything()

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the paths in each item."""
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
        """Report anything but a mapping, and wrong values."""
        if not isinstance(value, dict):
            yield self._refuse(value)
            return
        for key, item in value.items():
            for where, complaint in self.item.problems(item):
                yield (key, *where), complaint

    def convert(self, value: Any) -> Any:
        """Convert every value."""
        return {key: self.item.convert(item) for key, item in value.items()}

    def inside(self, step: str | int) -> Type:
        """Return the type of the values."""
        return self.item

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the paths in each value."""
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
    """``A | B``: the first option that accepts the value converts it."""

    options: tuple[Type, ...]

    def problems(self, value: Any) -> Iterator[Problem]:
        """Report a value that no option accepts, in the words of the one option of its shape."""
        if any(not option.check(value) for option in self.options):
            return
        shape = Mapping if isinstance(value, dict) else Sequence
        alike = [option for option in self.options if isinstance(option, shape)]
        if isinstance(value, (dict, list, tuple)) and len(alike) == 1:
            yield from alike[0].problems(value)
        else:
            yield self._refuse(value)

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Yes if an option takes text and none takes the value."""
        texts = [option for option in self.options if isinstance(option, Text)]
        others = (option for option in self.options if option not in texts)
        return bool(texts) and not (is_value and any(not o.check(value) for o in others))

    def inside(self, step: str | int) -> Type:
        """Return the type inside the one option that has such steps."""
        shape = Mapping if isinstance(step, str) else Sequence
        alike = [option for option in self.options if isinstance(option, shape)]
        return alike[0].inside(step) if len(alike) == 1 else Anything()

    def convert(self, value: Any) -> Any:
        """Convert as the first option that accepts the value does."""
        return self._accepting(value).convert(value)

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the paths of the first option that accepts the value."""
        return self._accepting(value).paths(value)

    def _accepting(self, value: Any) -> Type:
        return next(option for option in self.options if not option.check(value))

    def describe(self) -> str:
        """``integer or null``."""
        return " or ".join(option.describe() for option in self.options)

    def json_schema(self) -> dict[str, Any]:
        """Allow any option."""
        return {"anyOf": [option.json_schema() for option in self.options]}


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
    """Apply the bounds of annotated_types and ignore other metadata."""
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
    """Extend ``kind`` by the author's default if that is of another kind."""
    if not kind.check(default):
        return kind
    scalar = default is None or isinstance(default, (bool, int, float, str))
    return _union([kind, Choice((default,))]) if scalar else Anything()
