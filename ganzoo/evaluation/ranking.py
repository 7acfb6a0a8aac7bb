"""The leaderboard in Python: rows for pandas, and tables with pictures in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.evaluation.leaderboard import cell_text, heading, origin, raised, thumbs_of
from ganzoo.evaluation.standings import Standings
from ganzoo.formats.page import render


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """The standings of each benchmark.  In a notebook it shows its tables."""

    standings: Sequence[Standings]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each row as a dict for ``pandas.DataFrame``: benchmark, rank, model, and its scores.

        A score has a value, and its 95 % interval as ``NAME low`` and ``NAME high``.
        """
        rows = []
        for board in self.standings:
            for table in board.tables:
                for row in table.rows:
                    facts: dict[str, Any] = {
                        "benchmark": board.benchmark,
                        "version": table.version,
                        "protocol": table.protocol,
                        "rank": row.rank,
                        "model": row.entry.model.name,
                        "kind": row.entry.model.kind,
                    }
                    for name, cell in row.cells.items():
                        if cell.comparable:
                            facts |= {
                                name: cell.score.value,
                                f"{name} low": cell.score.low,
                                f"{name} high": cell.score.high,
                            }
                    rows.append(facts)
        return rows

    def __repr__(self) -> str:
        """Name the benchmarks and how many rows each has."""
        counts = (
            f"{board.benchmark} ({sum(len(table.rows) for table in board.tables)} rows)"
            for board in self.standings
        )
        return f"Leaderboard({', '.join(counts)})"

    def _repr_html_(self) -> str:
        return render(
            "evaluation/notebook.html",
            boards=self.standings,
            thumbs=thumbs_of(self.standings),
            cell_text=cell_text,
            heading=heading,
            origin=origin,
            raised=raised,
        )
