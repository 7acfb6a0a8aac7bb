"""What a value may be: types that check and convert plain data, and describe themselves.

A ``Type`` stands for one annotation.  ``annotations.py`` reads them from the source of plugins,
``json.py`` from dataclasses that are a file format.  The types that hold others are in
``containers.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import nearest
from ganzoo.formats.tree import join

#: the place inside the value, and the complaint
Fault = tuple[tuple[str | int, ...], str]


class Type:
    """One annotation.  Values are plain data: scalars, lists or tuples, dicts."""

    def problems(self, value: Any) -> Iterator[Fault]:
        """Yield every fault in ``value`` and its place."""
        yield from ()

    def check(self, value: Any) -> str | None:
        """Return the first complaint about ``value``, or None."""
        for where, complaint in self.problems(value):
            return f"{path(where)}: {complaint}" if where else complaint
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

    def refuse(self, value: Any, hint: str = "") -> Fault:
        """Complain that ``value`` is not this."""
        words = self.describe()
        article = dict.fromkeys(("number", "path", "list", "mapping", "name"), "a ")
        article["integer"] = "an "
        return (
            (),
            f"expected {article.get(words.split()[0], '')}{words}, not {written(value)}{hint}",
        )


def path(steps: tuple[str | int, ...], start: str = "") -> str:
    """Write a place for messages: ``labels.hair[0]``."""
    for step in steps:
        start = join(start, step)
    return start


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

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report non-finite numbers at any depth."""
        inside = list(value.items()) if isinstance(value, dict) else []
        if isinstance(value, (list, tuple)):
            inside = list(enumerate(value))
        for key, item in inside:
            yield from (((key, *where), what) for where, what in self.problems(item))
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and not finite(value):
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

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report a value that is not such a number, or is out of bounds."""
        if (
            not finite(value)
            or (self.integer and not isinstance(value, int))
            or (self.ge is not None and value < self.ge)
            or (self.gt is not None and value <= self.gt)
            or (self.le is not None and value > self.le)
            or (self.lt is not None and value >= self.lt)
        ):
            yield self.refuse(value)

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

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report anything but a text."""
        if not isinstance(value, str) or (self.path and (not value or "\0" in value)):
            yield self.refuse(value)

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


@dataclass(frozen=True)
class Reference(Text):
    """``Extractor``: the constructor is handed one, which a recipe names."""

    def describe(self) -> str:
        return "name of one of the recipe's extractors"


@dataclass(frozen=True)
class Pattern(Type):
    """A text of a certain form, given as a regular expression and in words."""

    regex: str
    words: str

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report anything but a text of this form."""
        if not isinstance(value, str) or not re.fullmatch(self.regex, value):
            yield self.refuse(value)

    def describe(self) -> str:
        """The words."""
        return self.words

    def json_schema(self) -> dict[str, Any]:
        """A pattern."""
        # $ also matches before a final newline
        return {"type": "string", "pattern": f"^(?:{self.regex})$(?!\\n)"}


@dataclass(frozen=True)
class Choice(Type):
    """``Literal[...]``, ``bool`` and ``None``: one of a few values."""

    values: tuple[Any, ...]

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report any other value."""
        if not any(type(one) is type(value) and one == value for one in self.values):
            texts = [one for one in self.values if isinstance(one, str)]
            yield self.refuse(value, nearest(value, texts) if isinstance(value, str) else "")

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
