"""Read JSON strictly into dataclasses: their annotations are the format.

Unknown and missing keys, wrong types, infinities and control characters are refused with the key's
place; the JSON Schema comes from the same annotations.  Supported are ``str bool int float Any
Literal[...] list[...] dict[str, ...] X | None``, dataclasses, and ``Annotated`` with ``Ge`` or
``Pattern``.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge

from ganzoo.errors import nearest, one_of
from ganzoo.formats.types import written


@dataclass(frozen=True)
class Pattern:
    """A text's required form, as a regular expression and in words."""

    regex: str
    words: str


class Wrong(ValueError):
    """A fault, after its place."""


#: most levels of a free-form value, and letters of a key
DEEPEST, LONGEST_KEY = 50, 1000

Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits")]
Text = Annotated[str, Pattern(r"[\s\S]*\S[\s\S]*", "some text")]
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
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Wrong(f"key {written(key)} is there twice")
        if len(key) > LONGEST_KEY:  # every path below would repeat it
            raise Wrong(f"key {written(key)} has more than {LONGEST_KEY} letters")
        found[key] = value
    return found


def typed(kind: Any, value: Any, at: str = "") -> Any:
    """Convert ``value`` to ``kind``; raises Wrong at the first fault."""
    if get_origin(kind) is Annotated:
        base, *rules = get_args(kind)
        value = typed(base, value, at)
        for rule in rules:
            _hold(rule, value, at)
        return value
    if get_origin(kind) in (Union, UnionType):  # always X | None
        return None if value is None else typed(get_args(kind)[0], value, at)
    if kind is Any:
        return _plain(value, at)
    if is_dataclass(kind):
        return _object(kind, value, at)
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise _expected("a mapping", value, at)
        key_kind, inner = get_args(kind)
        return {
            typed(key_kind, k, _in(at, k)): typed(inner, v, _in(at, k)) for k, v in value.items()
        }
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise _expected("a list", value, at)
        return [typed(get_args(kind)[0], v, _in(at, i)) for i, v in enumerate(value)]
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), value, at)
    return _scalar(kind, value, at)


def _one_of(allowed: tuple[str, ...], value: Any, at: str) -> Any:
    if value not in allowed:
        what = f"unknown {written(value)}{nearest(value, allowed)}"
        raise Wrong(f"{at}: {what} Allowed: {one_of(allowed)}.")
    return value


def _scalar(kind: Any, value: Any, at: str) -> Any:
    wanted = {str: "a text", bool: "true or false", int: "an integer", float: "a number"}[kind]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number:
        return _finite(value, at)
    if not isinstance(value, kind) or (kind is int and not number):
        raise _expected(wanted, value, at)
    return _clean(value, at) if kind is str else value


def _object(kind: Any, value: Any, at: str) -> Any:
    if not isinstance(value, dict):
        raise _expected("a mapping", value, at)
    hints = get_type_hints(kind, include_extras=True)
    for key in value:
        if key not in hints:
            raise Wrong(
                f"{_in(at, key)}: unknown key{nearest(str(key), hints)} Allowed: {one_of(hints)}."
            )
    for key in hints:
        if key not in value:
            raise Wrong(f"{_in(at, key)}: missing")
    return kind(**{key: typed(hints[key], value[key], _in(at, key)) for key in hints})


def _plain(value: Any, at: str, left: int = DEEPEST) -> Any:
    """Check a free-form value: JSON without infinities, and clean texts."""
    if left == 0:
        raise Wrong(f"{at[:100]}: nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        return {_clean(k, at): _plain(v, _in(at, k), left - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, _in(at, str(i)), left - 1) for i, inner in enumerate(value)]
    if isinstance(value, str):
        return _clean(value, at)
    if isinstance(value, float):
        return _finite(value, at)
    if value is None or isinstance(value, int):
        return value
    raise _expected("what JSON can hold", value, at)


def _finite(value: int | float, at: str) -> float:
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise _expected("a finite number", value, at)
    return float(value)


def _clean(value: Any, at: str) -> str:
    """Refuse control characters, which could garble a terminal."""
    if not isinstance(value, str):
        raise _expected("a text", value, at)
    for letter in value:
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t":
            raise Wrong(f"{at}: control character U+{ord(letter):04X} in a text")
    return value


def _hold(rule: Any, value: Any, at: str) -> None:
    if isinstance(rule, Ge) and value < rule.ge:
        raise _expected(f"at least {rule.ge}", value, at)
    if isinstance(rule, Pattern) and not re.fullmatch(rule.regex, value):
        raise _expected(rule.words, value, at)


def _expected(wanted: str, value: Any, at: str) -> Wrong:
    return Wrong(f"{at}: expected {wanted}, not {written(value)}")


def _in(at: str, key: Any) -> str:
    shown = str(key) if str(key).isprintable() else repr(key)
    return f"{at}.{shown}" if at else shown


# -- JSON Schema ------------------------------------------------------------------------------


def json_schema(kind: Any, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a dataclass, for editors and other tools."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return head | schema(kind)


def schema(kind: Any) -> dict[str, Any]:
    """Return the schema of one annotation."""
    if get_origin(kind) is Annotated:
        base, *rules = get_args(kind)
        return schema(base) | dict(pair for rule in rules for pair in _rule(rule))
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [schema(get_args(kind)[0]), {"type": "null"}]}
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    if get_origin(kind) is list:
        return {"type": "array", "items": schema(get_args(kind)[0])}
    if get_origin(kind) is dict:
        key, inner = map(schema, get_args(kind))
        return {"type": "object", "propertyNames": key, "additionalProperties": inner}
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            "type": "object",
            "properties": {f.name: schema(hints[f.name]) for f in fields(kind)},
            "required": list(hints),
            "additionalProperties": False,
        }
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return {"type": names[kind]} if kind in names else {}


def _rule(rule: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(rule, Ge):
        yield "minimum", rule.ge
    if isinstance(rule, Pattern):
        yield "pattern", f"^(?:{rule.regex})$"
