"""Rank the entries of a benchmark that may be compared, with ties.

A table holds the entries of one version and protocol.  Row i is better than row j if their primary
scores differ by more than sqrt(h_i^2 + h_j^2), with h half the width of a 95 % interval.  A row's
rank is one more than the number of rows better than it (as in Chiang et al. 2024, "Chatbot Arena",
https://arxiv.org/abs/2403.04132).  Unreliable and unrankable scores, other protocols and reference
rows have no rank.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ganzoo.evaluation.places import gather
from ganzoo.evaluation.result import Entry, EntryFile, Score

#: most differences named between two protocols
MAX_DIFFERENCES = 4
#: the scores that are shown first, the one that ranks among them
FEW = 4


@dataclass(frozen=True)
class Column:
    """A score; ``protocol`` is that of its comparable cells."""

    name: str
    higher_is_better: bool
    protocol: str
    unit: str | None

    @property
    def arrow(self) -> str:
        return "↑" if self.higher_is_better else "↓"


@dataclass(frozen=True)
class Cell:
    """A score in a row.  If it is not ``comparable``, its protocol is not the column's.

    ``note`` is the number of a footnote of the table.
    """

    score: Score
    comparable: bool
    note: int | None


@dataclass(frozen=True)
class Row:
    """An entry with its rank, and the rows that are statistically tied with it."""

    entry: Entry
    picture: Path
    rank: int | None
    ties: tuple[str, ...]
    cells: dict[str, Cell]

    @property
    def place(self) -> str:
        """The rank for reading: ``2``, ``2=``, or empty."""
        return f"{self.rank or ''}{'=' if self.ties else ''}"


@dataclass(frozen=True)
class Summary:
    """One recipe over its seeds: mean and 95 % t-interval of each score."""

    recipe: str
    generator: str | None
    steps: int | None
    seeds: tuple[int, ...]
    scores: dict[str, Score]


@dataclass(frozen=True)
class Table:
    """Entries that may be compared; ``apart`` says why they are not in the first table.

    The first column is the primary score; the others keep the benchmark's order.
    """

    version: int
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    seeds: tuple[Summary, ...]
    apart: str

    @property
    def primary(self) -> Column:
        """The score that ranks."""
        return self.columns[0]

    @property
    def few(self) -> tuple[Column, ...]:
        """The scores that matter first."""
        return self.columns[:FEW]

    @property
    def others(self) -> tuple[Column, ...]:
        """All further scores."""
        return self.columns[FEW:]

    @property
    def record(self) -> dict[str, Any]:
        """The protocol in full: the longest record, as not all have the optional parts."""
        return max((row.entry.record for row in self.rows), key=lambda one: len([*flat(one)]))


@dataclass(frozen=True)
class Standings:
    """The tables of a benchmark's newest version, that of most entries first, then the latest.

    ``problems`` are the files that are not entries, ``outdated`` the entries of older versions.
    """

    benchmark: str
    tables: tuple[Table, ...]
    problems: tuple[EntryFile, ...]
    outdated: tuple[Entry, ...] = ()

    @property
    def omission(self) -> str:
        """Say which entries are left out for their version; empty if none is."""
        if not self.outdated:
            return ""
        names = ", ".join(f"{one.model.name} ({one.version})" for one in self.outdated)
        return (
            f"left out of {self.benchmark}, which is at version {self.tables[0].version} here: "
            f"entries of older versions, {names}. A folder of their own shows them: "
            "`ganzoo leaderboard FOLDER`."
        )


def read_standings(folders: Iterable[Path], benchmark: str) -> Standings:
    """Rank the entries of ``benchmark`` in the ``folders`` of entries."""
    return rank(benchmark, gather(folders, benchmark))


def rank(benchmark: str, files: Sequence[EntryFile]) -> Standings:
    """Rank these entries of ``benchmark``."""
    every = [(item.entry, item.picture) for item in files if item.entry is not None]
    version = max((entry.version for entry, _ in every), default=0)
    good = [item for item in every if item[0].version == version]
    by_protocol = [list(group) for _, group in groupby(sorted(good, key=_group), key=_group)]
    # a trial with --set has few entries, and is no reason to hide the table of all others
    by_protocol.sort(key=lambda group: (len(group), max(e.date for e, _ in group)), reverse=True)
    main = by_protocol[0][0][0] if by_protocol else None
    tables = [_table(group, main) for group in by_protocol]
    outdated = tuple(entry for entry, _ in every if entry.version < version)
    problems = tuple(f for f in files if f.entry is None)
    return Standings(benchmark, tuple(tables), problems, outdated)


def _group(item: tuple[Entry, Path]) -> tuple[str, str]:
    entry, _ = item
    return entry.protocol, entry.primary


def _table(group: Sequence[tuple[Entry, Path]], main: Entry | None) -> Table:
    entries = [entry for entry, _ in group]
    columns = tuple(_columns(entries))
    footnotes: dict[str, int] = {}
    ranking = {e.model.name: e.scores[e.primary] for e in entries if _ranks(e, columns[0])}
    rows = []

    def order(item: tuple[Entry, Path]) -> tuple[bool, float, str]:
        """Sort key: best first, entries without a score last."""
        entry, primary = item[0], columns[0]
        if not _comparable(entry, primary):
            return True, 0.0, entry.model.name
        value = entry.scores[primary.name].value
        return False, -value if primary.higher_is_better else value, entry.model.name

    for entry, picture in sorted(group, key=order):
        score = ranking.get(entry.model.name)
        others = {name: other for name, other in ranking.items() if name != entry.model.name}
        better = [_better(other, score) for other in others.values()] if score else []
        ties = [
            n for n, s in others.items() if score and not (_better(s, score) or _better(score, s))
        ]
        cells = {column.name: _cell(entry, column, footnotes) for column in columns}
        rows.append(
            Row(
                entry=entry,
                picture=picture,
                rank=1 + sum(better) if score else None,
                ties=tuple(ties),
                cells={name: cell for name, cell in cells.items() if cell},
            )
        )
    apart = _apart(entries[0], main) if main else ""
    return Table(
        version=entries[0].version,
        protocol=entries[0].protocol,
        columns=columns,
        rows=tuple(rows),
        notes=tuple(footnotes),
        seeds=tuple(_over_seeds(entries, columns)),
        apart=apart,
    )


# -- what may be compared ---------------------------------------------------------------------


def _columns(entries: Sequence[Entry]) -> Iterator[Column]:
    """Yield the primary score, then the others in the order of the entries."""
    names = dict.fromkeys([entries[0].primary, *(name for e in entries for name in e.scores)])
    for name in names:
        scores = [entry.scores[name] for entry in entries if name in entry.scores]
        if not scores:  # no entry has the primary score
            yield Column(name, False, "", None)
            continue
        (protocol, higher), _ = Counter(map(_kind, scores)).most_common(1)[0]
        unit = next((score.unit for score in scores if score.unit), None)
        yield Column(name, higher, protocol, unit)


def _kind(score: Score) -> tuple[str, bool]:
    return score.protocol, score.higher_is_better


def _comparable(entry: Entry, column: Column) -> bool:
    score = entry.scores.get(column.name)
    return score is not None and _kind(score) == (column.protocol, column.higher_is_better)


def _ranks(entry: Entry, column: Column) -> bool:
    if entry.model.kind == "reference" or not _comparable(entry, column):
        return False
    score = entry.scores[column.name]
    return score.rankable and not score.unreliable


def _better(one: Score, other: Score) -> bool:
    """Whether ``one`` is better than ``other`` beyond the uncertainty of both."""
    ahead = one.value - other.value if one.higher_is_better else other.value - one.value
    return ahead > math.hypot(half(one), half(other))


def half(score: Score) -> float:
    """Return half the width of a score's interval."""
    return (score.high - score.low) / 2


def _cell(entry: Entry, column: Column, footnotes: dict[str, int]) -> Cell | None:
    score = entry.scores.get(column.name)
    if score is None:
        return None
    comparable = _comparable(entry, column)
    note = ""
    if not comparable:
        kinds = f"protocol {score.protocol}, not {column.protocol}"
        note = f"{column.name} under {kinds}: not compared"
    elif score.unreliable:
        note = f"{column.name} is unreliable, so it does not rank: {score.unreliable}"
    elif not score.rankable:
        note = f"{column.name} does not rank, as its features are untrained"
    number = footnotes.setdefault(note, len(footnotes) + 1) if note else None
    return Cell(score, comparable, number)


# -- why tables are apart ---------------------------------------------------------------------


def _apart(entry: Entry, main: Entry) -> str:
    if _group((entry, Path())) == _group((main, Path())):
        return ""
    here, there = _facts(entry), _facts(main)
    keys = [key for key in here | there if here.get(key) != there.get(key)]
    keys.sort(key=lambda key: (key not in here or key not in there, key))  # first change first
    differences = [
        f"{key} {here.get(key, 'nothing')} against {there.get(key, 'nothing')}" for key in keys
    ]
    if not differences:
        differences = ["only the ids do, so what measured is not the same"]
    more = len(differences) - MAX_DIFFERENCES
    listing = ", ".join(differences[:MAX_DIFFERENCES]) + (f", and {more} more" if more > 0 else "")
    return f"Not comparable with the first table, for they differ: {listing}."


def _facts(entry: Entry) -> dict[str, str]:
    facts = dict(flat({"primary": entry.primary, "counts": asdict(entry.counts)}))
    facts |= dict(flat(entry.record))
    return {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}


def flat(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value inside ``data`` with its path: ``counts.fakes``, ``evaluators[0].use``."""
    if isinstance(data, dict) and (data or not path):
        for key, value in data.items():
            yield from flat(value, f"{path}.{key}" if path else key)
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for i, value in enumerate(data):
            yield from flat(value, f"{path}[{i}]")
    else:
        yield path, data


# -- over seeds -------------------------------------------------------------------------------


def _over_seeds(entries: Iterable[Entry], columns: Sequence[Column]) -> Iterator[Summary]:
    """Group models of the same recipe, generator and steps that differ by seed.

    Each score is the mean and 95 % t-interval over seeds, if two of them or more are reliable.
    """
    groups: dict[tuple[str, str | None, int | None], list[Entry]] = {}
    for entry in entries:
        model = entry.model
        if model.kind == "model" and model.recipe and model.seed is not None:
            groups.setdefault((model.recipe, model.generator, model.steps), []).append(entry)
    for (recipe, generator, steps), group in sorted(groups.items(), key=lambda item: str(item[0])):
        seeds = tuple(sorted({entry.model.seed for entry in group if entry.model.seed is not None}))
        scores = {}
        for column in columns:
            by_seed: dict[int | None, list[float]] = {}
            for entry in group:
                if _ranks(entry, column):
                    value = entry.scores[column.name].value
                    by_seed.setdefault(entry.model.seed, []).append(value)
            values, n = [statistics.fmean(same) for same in by_seed.values()], len(by_seed)
            if n > 1:
                mean = statistics.fmean(values)
                side = student(n - 1) * statistics.stdev(values) / math.sqrt(n)
                higher, protocol = column.higher_is_better, column.protocol
                scores[column.name] = Score(
                    mean, mean - side, mean + side, higher, protocol, column.unit
                )
        if scores:
            yield Summary(recipe, generator, steps, seeds, scores)


#: Student's t with 1, 2, 3 and 4 degrees of freedom
_FEW = (12.7062047, 4.3026527, 3.1824463, 2.7764451)


def student(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t.

    Beyond the table, by the expansion of Abramowitz and Stegun 1964, 26.7.5, to 4 digits.
    """
    if degrees <= len(_FEW):
        return _FEW[degrees - 1]
    z, v = statistics.NormalDist().inv_cdf(0.975), degrees
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / v ** (power + 1) for power, term in enumerate(terms)))
