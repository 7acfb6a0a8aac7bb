"""Entries: what one model scored under one benchmark, in a sealed JSON file.

``write_entry`` seals an entry with a digest.  ``read_entry`` refuses any later change, except to
``reported`` and ``notes``, which are written by hand.  The dataclasses are the format: the checks
and the JSON Schema come from their annotations.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge

from ganzoo.errors import RunError
from ganzoo.files import write_atomic
from ganzoo.formats import json as formats
from ganzoo.formats.json import Count, Sha256, SomeText, Wrong, parse, typed
from ganzoo.formats.names import EntryName
from ganzoo.formats.types import Pattern, written

FORMAT = 1
MAX_BYTES = 4_000_000
LIMIT = 1e100  # beyond it, intervals overflow
#: the fields that may be edited; the digest covers all others
BY_HAND = ("reported", "notes")


ProtocolId = Annotated[str, Pattern(r"[0-9a-f]{6,64}", "6 to 64 hexadecimal digits")]
#: id of one score, readable: ``kid-efflite0/efflite0-57934424/n5000-vs-5000/avatars-64@1/1792df44``
ScoreId = Annotated[
    str, Pattern(r"[A-Za-z0-9._+@=/-]{6,300}", "letters, digits and ._+@=-/, from 6 to 300")
]
ScoreName = Annotated[
    str, Pattern(r"[a-z0-9][a-z0-9._-]{0,59}", "lower-case letters, digits and ._-, at most 60")
]
Seconds = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval, and how it was computed.

    ``protocol`` is the id of what this score alone depends on.  ``unreliable`` says why not to rely
    on it.  A score that is not ``rankable`` uses features of an untrained network.
    """

    value: float
    low: float
    high: float
    higher_is_better: bool
    protocol: ScoreId
    unit: SomeText | None = None
    unreliable: SomeText | None = None
    rankable: bool = True


@dataclass(frozen=True)
class Reported:
    """A paper's or an author's claim, and its source."""

    value: float
    source: SomeText


@dataclass(frozen=True)
class Candidate:
    """What was measured: a model, a reference row, or a folder of images; None if unknown.

    ``parameters`` are the generator's; entries from before they were counted have None.
    """

    name: EntryName
    kind: Literal["model", "reference", "images"]
    weights_sha256: Sha256 | None = None
    recipe: SomeText | None = None
    recipe_sha256: Sha256 | None = None
    seed: Count | None = None
    generator: SomeText | None = None
    distribution: SomeText | None = None
    version: SomeText | None = None
    steps: Count | None = None
    images: Count | None = None
    training_seconds: Seconds | None = None
    parameters: Count | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it is a model without weights, which every trained one has to beat."""
        return self.kind == "model" and self.parameters == 0


@dataclass(frozen=True)
class Counts:
    """Numbers of images, real and fake."""

    reference: Count
    fakes: Count


@dataclass(frozen=True)
class Entry:
    """One model's result under one benchmark; ``write_entry`` fills in ``sha256``.

    ``protocol`` is the id of the benchmark's whole protocol, which ``record`` holds in full;
    ``primary`` the score that ranks; ``key`` a hash of everything that decides the result; ``date``
    is in ISO 8601.
    """

    benchmark: EntryName
    version: Annotated[int, Ge(1)]
    protocol: ProtocolId
    primary: ScoreName
    model: Candidate
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


def read_entry(path: Path) -> Entry:
    """Read the entry in the file ``path``.

    Raises RunError with the file, the key, what is wrong and what is allowed.
    """
    try:
        with path.open("rb") as file:
            data = parse(file.read(MAX_BYTES + 1), "entry", MAX_BYTES)
        version = data.get("format")
        if isinstance(version, int) and version > FORMAT:
            raise Wrong(f"format: {written(version)} is newer than {FORMAT}; update ganzoo.")
        if isinstance(model := data.get("model"), dict):
            model.setdefault("parameters", None)
        entry = _checked(data)
    except Wrong as wrong:
        raise RunError(f"{path}: {wrong}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    if entry.sha256 != digest(entry):
        raise RunError(
            f"{path}: sha256: it was edited by hand (or damaged): only {' and '.join(BY_HAND)} "
            f"may be edited. `ganzoo evaluate MODEL --benchmark {entry.benchmark}` measures anew."
        )
    return entry


def write_entry(path: Path, entry: Entry) -> Entry:
    """Write ``entry`` atomically and return it with its digest.

    Raises RunError if it breaks the format or cannot be written.
    """
    try:
        entry = _checked(asdict(entry) | {"sha256": "0" * 64})
    except Wrong as wrong:
        raise RunError(f"{path} cannot be written: {wrong}") from None
    entry = replace(entry, sha256=digest(entry))
    data = {"format": FORMAT} | asdict(entry)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from error
    return entry


def digest(entry: Entry) -> str:
    """SHA-256 of the entry as canonical JSON, without the digest and the hand-written fields.

    An unknown count of parameters is left out too, so that older entries keep their digests.
    """
    data = {k: v for k, v in asdict(entry).items() if k not in (*BY_HAND, "sha256")}
    if entry.model.parameters is None:
        del data["model"]["parameters"]
    return formats.digest(data, tidy=True)


# -- the entries of a folder ------------------------------------------------------------------


@dataclass(frozen=True)
class EntryFile:
    """A file of the entries folder: an entry, or why it cannot be used; and its samples."""

    path: Path
    entry: Entry | None
    problem: str = ""

    @property
    def picture(self) -> Path:
        """The path of its sample grid, if it has one."""
        return self.path.with_suffix(".jpg")


def entry_path(root: Path, benchmark: str, name: str) -> Path:
    """Return the path of a model's entry in the entries folder ``root``."""
    return root / benchmark / f"{name}.json"


def benchmarks_in(root: Path) -> list[str]:
    """List the benchmarks with entries under ``root``, good or bad, sorted."""
    return sorted({path.parent.name for path in _files(root)})


def entry_files(root: Path, benchmark: str | None = None) -> list[EntryFile]:
    """Read every entry under ``root``, sorted by path; unusable ones carry the reason."""
    files = []
    for path in _files(root):
        if benchmark not in (None, path.parent.name):
            continue
        try:
            entry = read_entry(path)
        except RunError as error:
            problem = str(error).removeprefix(str(path)).lstrip(": ")
            files.append(EntryFile(path, None, problem))
            continue
        place = entry_path(root, entry.benchmark, entry.model.name)
        if place == path:
            files.append(EntryFile(path, entry))
        else:
            where = f"it is the entry of {entry.model.name} under {entry.benchmark}"
            files.append(EntryFile(path, None, f"{where}, whose place is {place}"))
    return files


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/*.json") if not path.name.startswith("."))


# -- the format -------------------------------------------------------------------------------


def _checked(data: Any) -> Entry:
    """Build the entry from ``data``; raises Wrong at the first fault."""
    entry: Entry = typed(Entry, data)
    if entry.format != FORMAT:
        raise Wrong(f"format: expected {FORMAT}, not {entry.format}")
    if not re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
        raise Wrong("sha256: expected 64 hexadecimal digits")
    try:
        datetime.fromisoformat(entry.date)
    except ValueError:
        example = "2026-01-31T12:00:00+00:00"
        raise Wrong(
            f"date: expected ISO 8601, such as {example}, not {written(entry.date)}"
        ) from None
    for name, score in entry.scores.items():
        if not score.low <= score.value <= score.high:
            what = f"{score.value:g} is not from low {score.low:g} to high {score.high:g}"
            raise Wrong(f"scores.{name}.value: {what}")
        if not -LIMIT <= score.low <= score.high <= LIMIT:
            raise Wrong(f"scores.{name}: no score goes beyond {LIMIT:g}")
    return entry


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of entries, for editors and other tools."""
    schema = formats.json_schema(Entry, "ganzoo entry")
    schema["properties"]["model"]["required"].remove("parameters")
    schema["properties"]["format"] = {"const": FORMAT}
    schema["properties"]["sha256"] = formats.json_schema(Sha256)
    return schema
