"""Read JSON strictly into dataclasses, whose annotations are the format; hash plain data.

Unknown and missing keys, wrong types, infinities and control characters are refused with the key's
place.  The JSON Schema comes from the same annotations.
"""

from __future__ import annotations

import hashlib
import json
import typing
import unicodedata
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from itertools import chain
from types import UnionType
from typing import Annotated, Any

from annotated_types import Ge

from ganzoo.formats.containers import Mapping, Record, Sequence, bounded, union
from ganzoo.formats.types import Anything, Choice, Fault, Number, Pattern, Text, Type, path, written
from ganzoo.text import shorten


class Wrong(ValueError):
    """A fault, after its place."""


#: most levels of a value, and letters of a key
DEEPEST, LONGEST_KEY = 50, 1000

Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits")]
SomeText = Annotated[str, Pattern(r"[\s\S]*\S[\s\S]*", "some text")]
Count = Annotated[int, Ge(0)]


def parse(content: bytes, what: str, limit: int) -> dict[str, Any]:
    """Parse ``content``, called ``what``, into a mapping; raises Wrong if it is not one."""
    if len(content) > limit:
        raise Wrong(f"more than {limit} bytes: it is no {what}")
    try:
        data = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_mapping)
    except Wrong:
        raise
    except (ValueError, RecursionError) as error:
        raise Wrong(f"not JSON in UTF-8: {error}") from None
    if not isinstance(data, dict):
        raise Wrong(f"expected {what}, a mapping, not {written(data)}")
    return data


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise Wrong(f"key {written(key)} is there twice")
        if len(key) > LONGEST_KEY:  # every path below would repeat it
            raise Wrong(f"key {written(key)} has more than {LONGEST_KEY} letters")
        mapping[key] = value
    return mapping


def typed(annotation: Any, value: Any, at: str = "") -> Any:
    """Convert ``value``, found ``at`` a place, to what is annotated; raises Wrong at a fault."""
    kind = _type(annotation)
    for where, complaint in chain(_unfit(value), kind.problems(value)):
        place = path(where, at)
        raise Wrong(f"{shorten(place)}: {complaint}" if place else complaint)
    return kind.convert(value)


def _unfit(value: Any, depth: int = DEEPEST) -> Iterator[Fault]:
    """Find what no file may hold: deep nesting, infinities and NaN, and control characters."""
    if depth == 0:
        yield (), f"nested more than {DEEPEST} deep"
    elif isinstance(value, dict | list | tuple):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            faults = _unfit(item, depth - 1)
            if isinstance(value, dict):
                faults = chain(Text().problems(step), _unfit(step), faults)
            yield from (((step, *where), complaint) for where, complaint in faults)
    elif isinstance(value, str):
        for letter in value:  # they could garble a terminal
            if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t":
                yield (), f"control character U+{ord(letter):04X} in a text"
    elif value is None or isinstance(value, int | float):
        yield from Anything().problems(value)
    else:
        yield (), f"expected what JSON can hold, not {written(value)}"


_PLAIN: dict[Any, Type] = {
    str: Text(),
    bool: Choice((True, False)),
    int: Number(integer=True),
    float: Number(),
    Any: Anything(),
    type(None): Choice((None,)),
}


@cache
def _type(annotation: Any) -> Type:
    """Read an imported annotation.

    Supported are ``str bool int float Any Literal[...] list[...] tuple[...] dict[..., ...]``,
    unions, dataclasses, and ``Annotated`` with ``Ge`` or with a type that replaces it.
    """
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if is_dataclass(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return Record(annotation, tuple((name, _type(hint)) for name, hint in hints.items()))  # type: ignore[arg-type]
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        kind, rule = inside
        return rule if isinstance(rule, Type) else bounded(_type(kind), {"ge": rule.ge})
    if origin in (typing.Union, UnionType):
        return union([_type(option) for option in inside])
    if origin is typing.Literal:
        return Choice(inside)
    if origin is dict:
        return Mapping(_type(inside[1]), _type(inside[0]))
    if origin is list:
        return Sequence(_type(inside[0]))
    if origin is tuple:
        return Sequence(places=tuple(_type(each) for each in inside), is_tuple=True)
    raise TypeError(f"no type for {annotation!r}")


def json_schema(annotation: Any, title: str = "") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an annotation, for editors and other tools."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return (head if title else {}) | _type(annotation).json_schema()


def digest(value: Any, tidy: bool = False) -> str:
    """Hash plain data: SHA-256 of its JSON with sorted keys and no spaces, in hexadecimal.

    ``tidy`` gives one hash whether or not a tool has tidied the JSON: ``1.0`` is ``1``, and
    letters are not escaped.
    """
    text = json.dumps(
        _whole(value) if tidy else value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=not tidy,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
