"""Entries that nobody measured, for tests of entries and of the leaderboard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ganzoo.evaluation.result import Candidate, Counts, Entry, Score, entry_path, write_entry

PROTOCOL = "0123456789abcdef"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def score(value: float, half: float = 1.0, **changes: Any) -> Score:
    given = {"higher_is_better": False, "protocol": "aaaa00000000"} | changes
    return Score(value=value, low=value - half, high=value + half, **given)


def entry(name: str = "acme", fid: float | Score = 20.0, **changes: Any) -> Entry:
    """An entry; ``changes`` are its own fields or those of its model."""
    of_model = {key: changes.pop(key) for key in list(changes) if key in Candidate.__annotations__}
    own = of_model.pop("version", None)
    given: dict[str, Any] = {
        "benchmark": "avatars-32",
        "version": own or 1,
        "protocol": PROTOCOL,
        "primary": "fid",
        "model": Candidate(**{"name": name, "kind": "model"} | of_model),
        "scores": {"fid": fid if isinstance(fid, Score) else score(fid)},
        "counts": Counts(reference=5000, fakes=5000),
        "record": {"counts": {"fakes": 5000}, "seed": 0},
        "environment": {"torch": "2.9"},
        "seconds": 12.5,
        "date": "2026-05-01",
        "key": sha(name),
    }
    return Entry(**given | changes)


def submit(root: Path, *args: Any, **changes: Any) -> Path:
    """Write an entry to its place in the entries folder ``root``."""
    made = entry(*args, **changes)
    path = entry_path(root, made.benchmark, made.model.name)
    write_entry(path, made)
    return path
