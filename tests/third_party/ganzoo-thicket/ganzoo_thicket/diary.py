"""The diary of a run: ``diary.csv`` in its folder, a row for each event."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

NAME = "diary.csv"


def note(run: Path, event: str, step: int, what: object) -> None:
    """Add a row; a resumed run goes on in the diary that it has."""
    with (run / NAME).open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow([event, step, what])


def events(run: Path) -> Counter[str]:
    """How often each event came; raises OSError where the run has no diary."""
    with (run / NAME).open(newline="", encoding="utf-8") as file:
        return Counter(row[0] for row in csv.reader(file))
