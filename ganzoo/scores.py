"""What the steps of a run scored, as metrics.jsonl has it, and which step is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: how the scores of a benchmark begin in metrics.jsonl
SCORE = "score/"


def is_score(row: Mapping[str, Any]) -> bool:
    """Whether a row of metrics.jsonl holds scores, and says nothing of training."""
    return any(key.startswith(SCORE) for key in row)


def under(rows: Iterable[Mapping[str, Any]], protocol: str) -> Iterator[Mapping[str, Any]]:
    """The rows without scores of other protocols than that of this id: they do not compare."""
    return (row for row in rows if not is_score(row) or row.get("protocol") == protocol)


def scored(rows: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Step -> score -> value."""
    return {
        row["step"]: {k.removeprefix(SCORE): v for k, v in row.items() if k.startswith(SCORE)}
        for row in rows
        if is_score(row)
    }


def best_step(
    found: Mapping[int, Mapping[str, float]], primary: str, higher_is_better: bool
) -> int | None:
    """The step with the best ``primary`` score, the first of equals; None where none has it."""
    sign = -1 if higher_is_better else 1
    known = [
        (sign * values[primary], step)
        for step, values in found.items()
        if math.isfinite(values.get(primary, math.nan))
    ]
    return min(known)[1] if known else None
