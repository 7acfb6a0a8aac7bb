"""Read the scores of a run's steps from metrics.jsonl, and find the best step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: prefix of a benchmark's scores in metrics.jsonl
SCORE = "score/"


def is_score(row: Mapping[str, Any]) -> bool:
    """Whether a row of metrics.jsonl holds scores rather than training values."""
    return any(key.startswith(SCORE) for key in row)


def under(rows: Iterable[Mapping[str, Any]], protocol: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows without scores of other protocols, which do not compare."""
    return (row for row in rows if not is_score(row) or row.get("protocol") == protocol)


def scored(rows: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Step -> score -> value."""
    return {
        row["step"]: {k.removeprefix(SCORE): v for k, v in row.items() if k.startswith(SCORE)}
        for row in rows
        if is_score(row)
    }


def best_step(
    scores: Mapping[int, Mapping[str, float]], primary: str, higher_is_better: bool
) -> int | None:
    """Return the step with the best ``primary`` score, the first of equals, or None."""
    sign = -1 if higher_is_better else 1
    ranking = [
        (sign * values[primary], step)
        for step, values in scores.items()
        if math.isfinite(values.get(primary, math.nan))
    ]
    return min(ranking)[1] if ranking else None
