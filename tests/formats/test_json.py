"""Dataclasses as file formats: what is read, what is refused and where, and the JSON Schema."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from annotated_types import Ge

from ganzoo.formats.json import Count, Sha256, Wrong, digest, json_schema, parse, typed
from ganzoo.formats.types import Pattern

Word = Annotated[str, Pattern("[a-z]+", "lower-case letters")]


@dataclass(frozen=True)
class Part:
    word: Word
    size: Annotated[int, Ge(1)] | None


@dataclass(frozen=True)
class Whole:
    """One field of each kind that a format may have."""

    name: str
    kind: Literal["noise", "image"]
    scale: float
    is_new: bool
    count: Count
    part: Part
    other: Part | None
    parts: list[Part]
    sizes: dict[Word, list[int]]
    free: dict[str, Any]


DATA: dict[str, Any] = {
    "name": "a\tb",
    "kind": "noise",
    "scale": 3,
    "is_new": False,
    "count": 0,
    "part": {"word": "x", "size": None},
    "other": None,
    "parts": [{"word": "y", "size": 2}],
    "sizes": {"a": [1]},
    "free": {"": [1.5, None, {"x": True}]},
}


def test_a_mapping_becomes_its_dataclass() -> None:
    whole = typed(Whole, DATA)
    assert whole == Whole(**DATA | {"part": Part("x", None), "parts": [Part("y", 2)]})
    assert isinstance(whole.scale, float)


BAD: list[tuple[str, Any, str]] = [
    ("nmae", 1, "nmae: unknown key, did you mean 'name'? Allowed: count"),
    ("name", 3, "name: expected text, not 3"),
    ("name", "\x1b[31m", "name: control character U+001B"),
    ("name", "\ud800", "name: control character U+D800"),
    ("kind", "nois", "kind: expected one of noise, image, not 'nois', did you mean 'noise'?"),
    ("kind", ["noise"], "kind: expected one of noise, image, not a list of 1"),
    ("scale", "3", "scale: expected a number, not '3'"),
    ("scale", math.nan, "scale: expected a finite number, not nan"),
    ("scale", 10**400, "scale: expected a finite number, not 1000"),
    ("is_new", 1, "is_new: expected true or false, not 1"),
    ("count", -1, "count: expected an integer of at least 0, not -1"),
    ("count", True, "count: expected an integer of at least 0, not true"),
    ("count", 1.0, "count: expected an integer of at least 0, not 1.0"),
    ("part", None, "part: expected a mapping, not null"),
    ("part", {"word": "x"}, "part.size: missing"),
    ("part", {"word": "X", "size": 1}, "part.word: expected lower-case letters, not 'X'"),
    ("part", {"word": "x\n", "size": 1}, "part.word: expected lower-case letters"),
    ("other", {"word": "x", "size": 0}, "other.size: expected an integer of at least 1 or null"),
    ("other", 3, "other: expected a mapping or null, not 3"),
    ("parts", {}, "parts: expected a list of mappings, not an empty mapping"),
    ("parts", [{"word": "x", "size": 1}, 2], "parts[1]: expected a mapping, not 2"),
    ("sizes", [], "sizes: expected a mapping of names to lists of integers, not an empty list"),
    ("sizes", {"A": [1]}, "sizes.A: expected lower-case letters, not 'A'"),
    ("sizes", {"a": [1, "x"]}, "sizes.a[1]: expected an integer, not 'x'"),
    ("free", 3, "free: expected a mapping, not 3"),
    ("free", {"x": [{"y": -math.inf}]}, "free.x[0].y: expected a finite number, not -inf"),
    ("free", {"a\x07": 1}, "free.a\x07: control character U+0007"),
    ("free", {3: 1}, "free[3]: expected text, not 3"),
    ("free", {"x": object()}, "free.x: expected what JSON can hold"),
]


@pytest.mark.parametrize(("key", "value", "complaint"), BAD, ids=[text for _, _, text in BAD])
def test_a_fault_is_refused_with_its_place(key: str, value: Any, complaint: str) -> None:
    with pytest.raises(Wrong) as caught:
        typed(Whole, DATA | {key: value})
    assert str(caught.value).startswith(complaint)


def test_the_place_of_the_whole_comes_first() -> None:
    with pytest.raises(Wrong, match=r"^index\[0\]\.count: missing$"):
        typed(Whole, {key: value for key, value in DATA.items() if key != "count"}, "index[0]")


def test_deep_nesting_is_refused_in_a_short_line() -> None:
    value: Any = 1
    for _ in range(60):
        value = {"x" * 900: value}
    with pytest.raises(Wrong, match="nested more than 50 deep") as caught:
        typed(dict[str, Any], value)
    assert len(str(caught.value)) < 400


def test_the_schema_allows_what_is_read_and_refuses_what_json_can_hold_of_the_rest() -> None:
    schema = json_schema(Whole, "whole")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(DATA)
    for key, value, complaint in BAD:
        if not any(word in complaint for word in ("control", "finite", "JSON can hold", "free[3]")):
            # JSON Schema takes 1.0 for an integer
            assert validator.is_valid(DATA | {key: value}) == isinstance(value, float)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON"),
        (b"\x80\x04\x95", "not JSON"),
        (b'{"a": 2', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "a mapping, not a list of 1"),
        (b"null", "a mapping, not null"),
        (b'{"a": 1, "a": 2}', "key 'a' is there twice"),
        (b'{"a": {"' + b"k" * 1001 + b'": 1}}', "more than 1000 letters"),
        (b" " * 1_000_001, "more than 1000000 bytes"),
    ],
    ids=["empty", "pickle", "cut", "list", "deep", "9", "one", "null", "twice", "long", "big"],
)
def test_what_is_no_json_mapping_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(Wrong, match=complaint):
        parse(content, "a toy", 1_000_000)


class Counted(str):
    """A key that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_many_keys_take_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(text: str, object_pairs_hook: Any) -> Any:
        return object_pairs_hook([(Counted(f"k{n}"), 1) for n in (*range(5000), 0)])

    monkeypatch.setattr(json, "loads", counted)
    with pytest.raises(Wrong, match="'k0' is there twice"):
        parse(b"{}", "a toy", 10)
    assert Counted.compared <= 10_000


def test_a_digest_is_that_of_sorted_json() -> None:
    assert digest({"b": 1.0, "a": "é"}) == digest({"a": "é", "b": 1.0})
    assert digest({"b": 1.0}) != digest({"b": 1})
    assert digest({"b": [1.0]}, tidy=True) == digest({"b": [1]}, tidy=True)
    assert len({digest(["é"]), digest(["é"], tidy=True), digest([0.5], tidy=True)}) == 3


def test_a_hash_is_a_hash() -> None:
    assert typed(Sha256, "0" * 64) == "0" * 64
    with pytest.raises(Wrong, match=r"^expected 64 hexadecimal digits, not 'x'$"):
        typed(Sha256, "x")
