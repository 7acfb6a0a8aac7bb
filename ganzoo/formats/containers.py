"""Types that hold others: lists, mappings, dataclasses and unions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ganzoo.errors import nearest, one_of
from ganzoo.formats.types import Anything, Fault, Number, Text, Type

_ANYTHING, _TEXT = Anything(), Text()


@dataclass(frozen=True)
class Sequence(Type):
    """``list[T]`` and ``tuple[T, ...]``; or ``tuple[A, B]``, with a type for each place."""

    item: Type = _ANYTHING
    places: tuple[Type, ...] | None = None
    is_tuple: bool = False

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report anything but a list, a wrong length and wrong items."""
        if not isinstance(value, (list, tuple)) or (
            self.places is not None and len(value) != len(self.places)
        ):
            yield self.refuse(value)
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
        return self.places[int(step)] if is_place else _ANYTHING

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the paths in each item."""
        for i, item in enumerate(value):
            yield from ((i, *where) for where in self._at(i).paths(item))

    def _at(self, i: int) -> Type:
        return self.item if self.places is None else self.places[i]

    def describe(self) -> str:
        """``list of numbers``, ``list of 2 numbers``."""
        if self.places is None:
            return "list" if self.item == _ANYTHING else f"list of {self.item.plural()}"
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
    """``dict[str, T]``; or ``dict[K, T]``, where K is a text of a certain form."""

    item: Type = _ANYTHING
    key: Type = _TEXT

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report anything but a mapping, and wrong keys and values."""
        if not isinstance(value, dict):
            yield self.refuse(value)
            return
        for key, item in value.items():
            for where, complaint in (*self.key.problems(key), *self.item.problems(item)):
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
        anything = self.item == _ANYTHING
        return "mapping" if anything else f"mapping of names to {self.item.plural()}"

    def json_schema(self) -> dict[str, Any]:
        """An object."""
        names = {} if self.key == _TEXT else {"propertyNames": self.key.json_schema()}
        return {"type": "object", **names, "additionalProperties": self.item.json_schema()}


@dataclass(frozen=True)
class Record(Type):
    """A dataclass: a mapping with exactly its fields as keys."""

    kind: type
    fields: tuple[tuple[str, Type], ...]

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report anything but a mapping, unknown and missing keys, and wrong values."""
        if not isinstance(value, dict):
            yield self.refuse(value)
            return
        names = [name for name, _ in self.fields]
        for key in value:
            if key not in names:
                hint = nearest(str(key), names)
                yield (key,), f"unknown key{hint} Allowed: {one_of(names)}."
        for name, field in self.fields:
            if name not in value:
                yield (name,), "missing"
                continue
            for where, complaint in field.problems(value[name]):
                yield (name, *where), complaint

    def convert(self, value: Any) -> Any:
        """Make the dataclass."""
        return self.kind(**{name: field.convert(value[name]) for name, field in self.fields})

    def inside(self, step: str | int) -> Type:
        """Return the type of a field."""
        return dict(self.fields).get(str(step), _ANYTHING)

    def describe(self) -> str:
        """A mapping."""
        return "mapping"

    def plural(self) -> str:
        """Mappings."""
        return "mappings"

    def json_schema(self) -> dict[str, Any]:
        """An object of exactly these properties."""
        return {
            "type": "object",
            "properties": {name: field.json_schema() for name, field in self.fields},
            "required": [name for name, _ in self.fields],
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Union(Type):
    """``A | B``: the first option that accepts the value converts it."""

    options: tuple[Type, ...]

    def problems(self, value: Any) -> Iterator[Fault]:
        """Report a value that no option accepts, in the words of the one option of its shape."""
        if any(not option.check(value) for option in self.options):
            return
        alike = self._shaped(isinstance(value, dict))
        if isinstance(value, (dict, list, tuple)) and len(alike) == 1:
            yield from alike[0].problems(value)
        else:
            yield self.refuse(value)

    def wants_text(self, value: Any, is_value: bool) -> bool:
        """Yes if an option takes text and none takes the value."""
        texts = [option for option in self.options if isinstance(option, Text)]
        others = (option for option in self.options if option not in texts)
        return bool(texts) and not (is_value and any(not o.check(value) for o in others))

    def inside(self, step: str | int) -> Type:
        """Return the type inside the one option that has such steps."""
        alike = self._shaped(isinstance(step, str))
        return alike[0].inside(step) if len(alike) == 1 else _ANYTHING

    def convert(self, value: Any) -> Any:
        """Convert as the first option that accepts the value does."""
        return self._accepting(value).convert(value)

    def paths(self, value: Any) -> Iterator[tuple[str | int, ...]]:
        """Yield the paths of the first option that accepts the value."""
        return self._accepting(value).paths(value)

    def _shaped(self, as_mapping: bool) -> list[Type]:
        shapes = (Mapping, Record) if as_mapping else (Sequence,)
        return [option for option in self.options if isinstance(option, shapes)]

    def _accepting(self, value: Any) -> Type:
        return next(option for option in self.options if not option.check(value))

    def describe(self) -> str:
        """``integer or null``."""
        return " or ".join(option.describe() for option in self.options)

    def json_schema(self) -> dict[str, Any]:
        """Allow any option."""
        return {"anyOf": [option.json_schema() for option in self.options]}


def union(options: list[Type]) -> Type:
    """Join types into one that accepts what any of them does."""
    flat: list[Type] = []
    for option in options:
        flat += option.options if isinstance(option, Union) else (option,)
    return _ANYTHING if _ANYTHING in flat else Union(tuple(dict.fromkeys(flat)))


def bounded(kind: Type, bounds: dict[str, Any]) -> Type:
    """Apply bounds to a number, or to the numbers of a union."""
    if isinstance(kind, Union):
        return Union(tuple(bounded(option, bounds) for option in kind.options))
    return replace(kind, **bounds) if isinstance(kind, Number) else kind
