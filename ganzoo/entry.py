"""Entries: what one model scored under one benchmark, in a JSON file that people can trust.

``write`` seals an entry with a digest and ``read`` refuses whatever was changed since, but for
``reported`` and ``notes``, which are written by hand.  The dataclasses are the format: the checks
and the JSON Schema are read off their annotations.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge

from ganzoo.annotation import written
from ganzoo.errors import RunError, nearest, one_of
from ganzoo.files import write_atomic

FORMAT = 1
MAX_BYTES = 4_000_000
LIMIT = 1e100  # beyond it, intervals overflow
#: what may be edited: all else is under the digest
BY_HAND = ("reported", "notes")


@dataclass(frozen=True)
class Pattern:
    """What a text has to look like, as a regular expression and in words."""

    regex: str
    words: str


Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits")]
ProtocolId = Annotated[str, Pattern(r"[0-9a-f]{6,64}", "6 to 64 hexadecimal digits")]
#: of one score, to be read: ``kid-efflite0/efflite0-57934424/n5000-vs-5000/avatars-64@1/1792df44``
ScoreId = Annotated[
    str, Pattern(r"[A-Za-z0-9._+@=/-]{6,300}", "letters, digits and ._+@=-/, from 6 to 300")
]
#: of a benchmark or model; it is part of a path
Name = Annotated[
    str,
    Pattern(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,99}", "letters, digits and ._+@=-, at most 100"),
]
ScoreName = Annotated[
    str, Pattern(r"[a-z0-9][a-z0-9._-]{0,59}", "lower-case letters, digits and ._-, at most 60")
]
Text = Annotated[str, Pattern(r"[\s\S]*\S[\s\S]*", "some text")]
Count = Annotated[int, Ge(0)]
Seconds = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval, and what decides how it came about.

    ``protocol`` is the id of what this score alone depends on; ``unreliable`` says why it should
    not be relied on; what is not ``rankable`` is on features that nobody trained.
    """

    value: float
    low: float
    high: float
    higher_is_better: bool
    protocol: ScoreId
    unit: Text | None = None
    unreliable: Text | None = None
    rankable: bool = True


@dataclass(frozen=True)
class Reported:
    """What a paper or an author claims, and where."""

    value: float
    source: Text


@dataclass(frozen=True)
class Subject:
    """What was measured: a model, a reference row, or a folder of images; unknown is None."""

    name: Name
    kind: Literal["model", "reference", "images"]
    weights_sha256: Sha256 | None = None
    recipe: Text | None = None
    recipe_sha256: Sha256 | None = None
    seed: Count | None = None
    generator: Text | None = None
    distribution: Text | None = None
    version: Text | None = None
    steps: Count | None = None
    images: Count | None = None
    training_seconds: Seconds | None = None


@dataclass(frozen=True)
class Counts:
    """Images on both sides."""

    reference: Count
    fakes: Count


@dataclass(frozen=True)
class Entry:
    """One model's result under one benchmark; ``write`` fills in ``sha256``.

    ``protocol`` is the id of the benchmark's whole protocol, which ``record`` tells in full,
    ``primary`` the score that ranks, ``key`` a hash of everything that decides the result, ``date``
    in ISO 8601.
    """

    benchmark: Name
    version: Annotated[int, Ge(1)]
    protocol: ProtocolId
    primary: ScoreName
    model: Subject
    scores: dict[ScoreName, Score]
    counts: Counts
    record: dict[str, Any]
    environment: dict[str, str]
    seconds: Seconds
    date: str
    key: Sha256
    reported: dict[ScoreName, Reported] = field(default_factory=dict)
    notes: str = ""
    format: int = FORMAT
    sha256: str = ""


def read(path: Path) -> Entry:
    """The entry in the file ``path``.

    Raises RunError with the file, the key, what is wrong there and what is allowed.
    """
    try:
        entry = _parse(path)
    except _Wrong as wrong:
        raise RunError(f"{path}: {wrong}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    if entry.sha256 != digest(entry):
        raise RunError(
            f"{path}: sha256: it was edited by hand (or damaged): only {' and '.join(BY_HAND)} "
            f"may be edited. `ganzoo evaluate MODEL --benchmark {entry.benchmark}` measures anew."
        )
    return entry


def write(path: Path, entry: Entry) -> Entry:
    """Write ``entry`` as a whole or not at all; what was written, digest included.

    Raises RunError where it breaks the format, or cannot be written.
    """
    try:
        checked = _checked(asdict(entry) | {"sha256": "0" * 64})
    except _Wrong as wrong:
        raise RunError(f"{path} cannot be written: {wrong}") from None
    sealed = replace(checked, sha256=digest(checked))
    data = {"format": FORMAT} | asdict(sealed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
    return sealed


def check_name(name: str) -> None:
    """Raise RunError where ``name`` cannot be that of an entry."""
    try:
        _typed(Name, name, "name")
    except _Wrong as wrong:
        raise RunError(str(wrong)) from None


def digest(entry: Entry) -> str:
    """SHA-256 of the entry as canonical JSON, without itself and what is written by hand."""
    data = {k: v for k, v in asdict(entry).items() if k not in (*BY_HAND, "sha256")}
    text = json.dumps(
        _canonical(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """``1.0`` as ``1``, for tools that tidy JSON write it so."""
    if isinstance(value, dict):
        return {key: _canonical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# -- the entries of a folder ------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A file of the entries folder: an entry, or why it is none; and the samples beside it."""

    path: Path
    entry: Entry | None
    problem: str = ""

    @property
    def picture(self) -> Path:
        """Where its sample grid is, if it has one."""
        return self.path.with_suffix(".jpg")


def place(root: Path, benchmark: str, name: str) -> Path:
    """Where the entry of a model lies in the entries folder ``root``."""
    return root / benchmark / f"{name}.json"


def benchmarks(root: Path) -> list[str]:
    """The benchmarks that have entries under ``root``, good or bad, sorted."""
    return sorted({path.parent.name for path in _files(root)})


def find(root: Path, benchmark: str | None = None) -> list[Found]:
    """Every entry under ``root``, sorted by path, those that cannot be used with the reason."""
    files = _files(root)
    return [_found(root, path) for path in files if benchmark in (None, path.parent.name)]


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/*.json") if not path.name.startswith("."))


def _found(root: Path, path: Path) -> Found:
    try:
        entry = read(path)
    except RunError as error:
        return Found(path, None, str(error).removeprefix(str(path)).lstrip(": "))
    own = place(root, entry.benchmark, entry.model.name)
    if own != path:
        where = f"it is the entry of {entry.model.name} under {entry.benchmark}"
        return Found(path, None, f"{where}, whose place is {own}")
    return Found(path, entry)


# -- the format, read off the annotations -----------------------------------------------------


class _Wrong(ValueError):
    """What is wrong, after where."""


def _parse(path: Path) -> Entry:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _Wrong(f"more than {MAX_BYTES} bytes: it is no entry")
    try:
        data = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_mapping)
    except _Wrong:
        raise
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"not JSON in UTF-8: {error}") from None
    if not isinstance(data, dict):
        raise _Wrong(f"expected an entry, a mapping, not {written(data)}")
    version = data.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise _Wrong(f"format: {written(version)} is newer than {FORMAT}; update ganzoo.")
    return _checked(data)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise _Wrong(f"key {written(twice)} is there twice")
    return found


def _checked(data: Any) -> Entry:
    """The entry that ``data`` is; raises _Wrong at the first thing that is not as it must be."""
    entry: Entry = _typed(Entry, data, "")
    if entry.format != FORMAT:
        raise _Wrong(f"format: expected {FORMAT}, not {entry.format}")
    if not re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
        raise _Wrong("sha256: expected 64 hexadecimal digits")
    try:
        datetime.fromisoformat(entry.date)
    except ValueError:
        example = "2026-01-31T12:00:00+00:00"
        raise _Wrong(
            f"date: expected ISO 8601, such as {example}, not {written(entry.date)}"
        ) from None
    for name, score in entry.scores.items():
        if not score.low <= score.value <= score.high:
            what = f"{score.value:g} is not from low {score.low:g} to high {score.high:g}"
            raise _Wrong(f"scores.{name}.value: {what}")
        if not -LIMIT <= score.low <= score.high <= LIMIT:
            raise _Wrong(f"scores.{name}: no score goes beyond {LIMIT:g}")
    return entry


def _typed(kind: Any, value: Any, at: str) -> Any:
    """``value`` as ``kind`` wants it."""
    if get_origin(kind) is Annotated:
        base, *rules = get_args(kind)
        value = _typed(base, value, at)
        for rule in rules:
            _hold(rule, value, at)
        return value
    if get_origin(kind) in (Union, UnionType):  # always X | None
        return None if value is None else _typed(get_args(kind)[0], value, at)
    if kind is Any:
        return _plain(value, at)
    if is_dataclass(kind):
        return _object(kind, value, at)
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise _expected("a mapping", value, at)
        key_kind, inner = get_args(kind)
        return {
            _typed(key_kind, k, _in(at, k)): _typed(inner, v, _in(at, k)) for k, v in value.items()
        }
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), value, at)
    return _scalar(kind, value, at)


def _one_of(allowed: tuple[str, ...], value: Any, at: str) -> Any:
    if value not in allowed:
        what = f"unknown {written(value)}{nearest(value, allowed)}"
        raise _Wrong(f"{at}: {what} Allowed: {one_of(allowed)}.")
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
            raise _Wrong(
                f"{_in(at, key)}: unknown key{nearest(str(key), hints)} Allowed: {one_of(hints)}."
            )
    for key in hints:
        if key not in value:
            raise _Wrong(f"{_in(at, key)}: missing")
    return kind(**{key: _typed(hints[key], value[key], _in(at, key)) for key in hints})


def _plain(value: Any, at: str) -> Any:
    """A value of free form: JSON without infinities, and clean texts."""
    if isinstance(value, dict):
        return {_clean(k, at): _plain(v, _in(at, k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, _in(at, str(i))) for i, inner in enumerate(value)]
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
    """A text without control characters, which could garble a terminal."""
    if not isinstance(value, str):
        raise _expected("a text", value, at)
    for letter in value:
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t":
            raise _Wrong(f"{at}: control character U+{ord(letter):04X} in a text")
    return value


def _hold(rule: Any, value: Any, at: str) -> None:
    if isinstance(rule, Ge) and value < rule.ge:
        raise _expected(f"at least {rule.ge}", value, at)
    if isinstance(rule, Pattern) and not re.fullmatch(rule.regex, value):
        raise _expected(rule.words, value, at)


def _expected(wanted: str, value: Any, at: str) -> _Wrong:
    return _Wrong(f"{at}: expected {wanted}, not {written(value)}")


def _in(at: str, key: Any) -> str:
    shown = str(key) if str(key).isprintable() else repr(key)
    return f"{at}.{shown}" if at else shown


# -- JSON Schema ------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of entries, for editors and other tools."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "ganzoo entry"}
    found = head | _schema(Entry)
    found["properties"]["format"] = {"const": FORMAT}
    found["properties"]["sha256"] = _schema(Sha256)
    return found


def _schema(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is Annotated:
        base, *rules = get_args(kind)
        return _schema(base) | dict(pair for rule in rules for pair in _rule(rule))
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [_schema(get_args(kind)[0]), {"type": "null"}]}
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    if get_origin(kind) is dict:
        key, inner = map(_schema, get_args(kind))
        return {"type": "object", "propertyNames": key, "additionalProperties": inner}
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            "type": "object",
            "properties": {f.name: _schema(hints[f.name]) for f in fields(kind)},
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
