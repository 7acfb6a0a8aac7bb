"""Present the leaderboard: numbers with intervals, Markdown, one self-contained page.

The page's templates are ``leaderboard.html`` and ``table.html`` in this package.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import RunError, nearest, one_of
from ganzoo.evaluation.places import benchmarks_of
from ganzoo.evaluation.result import Candidate, Entry, Score
from ganzoo.evaluation.standings import Column, Row, Standings, Summary, Table, flat, read_standings
from ganzoo.formats.page import render
from ganzoo.progress import duration
from ganzoo.text import md

if TYPE_CHECKING:
    from PIL.Image import Image

#: most bytes of a row's samples in the page
PICTURE_BYTES = 100_000
#: pixels of a sheet's side that the page holds, and that a row shows; two samples at least
SHEET_PIXELS, SHOWN_PIXELS = 530, 160

HOW = (
    "Every score has its 95 % interval. A row is better than another where their first scores "
    "differ by more than √(h₁² + h₂²), h being half the width of each interval. A rank is one "
    "more than the number of rows that are better; = marks a row that cannot be told from some "
    "other. Reference rows are no models and have no rank. A model with no weights was not "
    "trained: a trained one has to beat it."
)
NO_WEIGHTS = "no weights"
CLAIMS = (
    "These are the claims of the models' cards: nobody has checked them. `ganzoo evaluate` does."
)
OVER_SEEDS = (
    "Over seeds: models of the same recipe, generator and steps, trained with different seeds "
    "(whatever else was changed by --set is not told apart). Mean and 95 % t-interval of the mean."
)


def all_standings(folders: Sequence[Path], benchmark: str | None = None) -> list[Standings]:
    """Read the standings of every benchmark with entries in ``folders``, or of the one named.

    Raises RunError if there are others, but none for the one named.
    """
    names = benchmarks_of(folders)
    if benchmark is None or not names:
        return [read_standings(folders, name) for name in names]
    benchmark = benchmark.rpartition("/")[2]  # entries go by the name in the benchmark's file
    if benchmark not in names:
        raise RunError(
            f"no entries for benchmark '{benchmark}'{nearest(benchmark, names)} There are some "
            f"for: {one_of(names)}. `ganzoo evaluate MODEL --benchmark NAME` makes one."
        )
    return [read_standings(folders, benchmark)]


# -- numbers ----------------------------------------------------------------------------------


def reading(score: Score) -> str:
    """Format a score and its interval, both as exact as that allows: ``12.3 ± 0.7``.

    The interval has its first digit, or two where one would round it by much, which is below 3.55
    (Particle Data Group, Review of Particle Physics, 5.3).  ``12.3 [11.9, 14.1]`` if the value is
    not in the middle; ``12.3`` if it cannot vary.
    """
    size = max(abs(score.low), abs(score.high))
    power = math.floor(math.log10(size)) if size > 1e-100 else 0
    power = 0 if -4 <= power < 7 else power
    value, low, high = (x / 10.0**power for x in (score.value, score.low, score.high))
    side = (high - low) / 2
    if side > 1e-5 * abs(value):  # a smaller one has no meaningful digits
        place = math.floor(math.log10(side))
        digits = 2 if side < 3.55 * 10.0**place else 1
        decimals = min(max(0, digits - 1 - place), 6)
        even = abs((value - low) - (high - value)) <= 0.02 * (high - low)
        span = f"± {side:.{decimals}f}" if even else f"[{low:.{decimals}f}, {high:.{decimals}f}]"
        text = f"{value:.{decimals}f} {span}"
    else:
        text = f"{value:.{max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    text = text.replace("-", "−")
    return f"({text})e{power}".replace("e-", "e−") if power else text


def heading(column: Column) -> str:
    """Return a score's name and its better direction."""
    return f"{column.name} {column.arrow}"


def raised(number: int | None) -> str:
    """Return the mark of a footnote: ``¹²``."""
    return str(number or "").translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def cell_text(row: Row, column: Column) -> str:
    """Return a cell's text, with its footnote's mark."""
    cell = row.cells.get(column.name)
    if cell is None:
        return "–"
    return (reading(cell.score) if cell.comparable else "other protocol") + raised(cell.note)


def group_name(summary: Summary) -> str:
    """Name a recipe over its seeds."""
    steps = f", {summary.steps:,} steps" if summary.steps is not None else ""
    return f"{summary.recipe}{steps}, {len(summary.seeds)} seeds"


# -- data -------------------------------------------------------------------------------------


def as_data(boards: Sequence[Standings]) -> dict[str, Any]:
    """Return everything as plain data, for ``--json``."""
    problems = [f for board in boards for f in board.problems]
    return {
        "benchmarks": [
            {
                "benchmark": board.benchmark,
                "outdated": [f"{e.model.name}@{e.version}" for e in board.outdated],
                "tables": [
                    {
                        "version": table.version,
                        "protocol": table.protocol,
                        "primary": table.primary.name,
                        "apart": table.apart or None,
                        "columns": [asdict(column) for column in table.columns],
                        "rows": [_row_data(row, table) for row in table.rows],
                        "over_seeds": [asdict(summary) for summary in table.seeds],
                    }
                    for table in board.tables
                ],
            }
            for board in boards
        ],
        "problems": [{"path": str(f.path), "problem": f.problem} for f in problems],
    }


def _row_data(row: Row, table: Table) -> dict[str, Any]:
    scores = {
        name: asdict(cell.score)
        | {"comparable": cell.comparable, "note": table.notes[cell.note - 1] if cell.note else None}
        for name, cell in row.cells.items()
    }
    data = asdict(row.entry)
    names = ("model", "counts", "reported", "notes", "seconds", "date", "key", "sha256")
    head = {"rank": row.rank, "tied_with": list(row.ties)}
    return head | {name: data[name] for name in names} | {"scores": scores}


# -- Markdown ---------------------------------------------------------------------------------


def markdown(boards: Sequence[Standings]) -> str:
    """Write ``LEADERBOARD.md``."""
    lines = ["# Leaderboard", "", md(HOW), ""]
    for board in boards:
        lines += [f"## {md(board.benchmark)}", ""]
        for table in board.tables:
            lines += [*_md_table(table), ""]
        if board.omission:
            lines += [md(board.omission), ""]
        if board.problems:
            lines += ["Files that are no entries:", ""]
            lines += [f"- {md(f.path.name)}: {md(f.problem)}" for f in board.problems] + [""]
    return "\n".join(lines)


def _md_table(table: Table) -> Iterator[str]:
    yield f"### Version {table.version}, protocol `{table.protocol}`"
    yield ""
    if table.apart:
        yield from (md(table.apart), "")
    has_claims = any(row.entry.reported for row in table.rows)
    yield from _md_scores(table, table.few, has_claims)
    yield ""
    if table.others:
        yield from ("All other scores:", "", *_md_scores(table, table.others, False), "")
    for number, note in enumerate(table.notes, 1):
        yield f"{raised(number)} {md(note)}  "
    if table.seeds:
        yield from ("", md(OVER_SEEDS), "")
        yield _md_row(["recipe", *map(heading, table.few)])
        yield _md_row([":--", *["--:" for _ in table.few]], raw=True)
        for summary in table.seeds:
            yield _md_row([group_name(summary), *means(summary, table.few)])


def _md_scores(table: Table, columns: Sequence[Column], has_claims: bool) -> Iterator[str]:
    heads = [heading(c) + (f" ({c.unit})" if c.unit else "") for c in columns]
    heads = _beside(heads, "reported" if has_claims else None)
    yield _md_row(["rank", "model", *heads])
    yield _md_row(["--:", ":--", *["--:" for _ in heads]], raw=True)
    for row in table.rows:
        claims = row.entry.reported.items()
        claim = "; ".join(f"{name} {one.value:g} ({one.source})" for name, one in claims)
        cells = [cell_text(row, column) for column in columns]
        cells = _beside(cells, claim if has_claims else None)
        model = row.entry.model
        name = f"*{md(model.name)}*" if model.kind == "reference" else md(model.name)
        name += f" ({NO_WEIGHTS})" if model.is_baseline else ""
        yield _md_row([row.place or "–", name, *map(md, cells)], raw=True)


def _beside(scores: list[str], claim: str | None) -> list[str]:
    """Put the claim beside the score that ranks."""
    return scores if claim is None else [scores[0], claim, *scores[1:]]


def means(summary: Summary, columns: Iterable[Column]) -> list[str]:
    """Return the means of a recipe over its seeds, column by column."""
    scores = (summary.scores.get(column.name) for column in columns)
    return [reading(score) if score else "–" for score in scores]


def _md_row(cells: Iterable[str], raw: bool = False) -> str:
    return f"| {' | '.join(cells if raw else map(md, cells))} |"


# -- the page ---------------------------------------------------------------------------------


def page(boards: Sequence[Standings]) -> str:
    """Write ``leaderboard.html``, which is self-contained."""
    return render(
        "evaluation/leaderboard.html",
        boards=boards,
        how=HOW,
        no_weights=NO_WEIGHTS,
        over_seeds=OVER_SEEDS,
        thumbs=thumbs_of(boards),
        flat=flat,
        group_name=group_name,
        heading=heading,
        in_full=in_full,
        means=means,
        origin=origin,
        reading=reading,
        scales_of=scales_of,
    )


@dataclass(frozen=True)
class Thumb:
    """A row's samples in the page: a data URI, its width in pixels, and how far it is enlarged.

    ``zoom`` is the picture's width over that of its top left corner, which the row shows.
    """

    uri: str
    width: int
    zoom: float


def thumbs_of(boards: Sequence[Standings]) -> dict[Path, Thumb]:
    """Return the samples of every row that has a readable picture, by its path."""
    from ganzoo.models.pictures import opened

    rows = [row for board in boards for table in board.tables for row in table.rows]
    return {
        row.picture: _thumb(row.entry, picture) for row in rows if (picture := opened(row.picture))
    }


def _thumb(entry: Entry, sheet: Image) -> Thumb:
    """Embed the top left of a sheet of samples, sharp; the whole of one whose size is unknown."""
    from ganzoo.models.pictures import embed

    zoom, size = 1.0, entry.record.get("size")
    if isinstance(size, int) and 0 < size < SHEET_PIXELS:
        gap = 2  # as ``samples.grid`` has it
        # pairs of a photo and its drawing stay together
        whole, corner = (max(2, n // (size + gap) // 2 * 2) for n in (SHEET_PIXELS, SHOWN_PIXELS))
        side = whole * (size + gap) + gap
        sheet = sheet.crop((0, 0, min(side, sheet.width), min(side, sheet.height)))
        zoom = max(1.0, sheet.width / (corner * (size + gap) + gap))
    return Thumb(*embed(sheet, PICTURE_BYTES), zoom)


def origin(model: Candidate) -> list[str]:
    """Return the lines below a model's name: how it came about."""
    if model.kind != "model":
        return [model.kind]
    if model.is_baseline:
        return [NO_WEIGHTS]
    seconds = model.training_seconds
    lines = [
        [model.recipe, None if model.steps is None else f"{model.steps:,} steps"],
        [
            None if model.seed is None else f"seed {model.seed}",
            f"trained for {duration(seconds)}" if seconds else None,
        ],
    ]
    return [", ".join(filter(None, line)) for line in lines if any(line)]


def in_full(entry: Entry) -> dict[str, Any]:
    """Return the fields of an entry that its table does not show."""
    fields = ("model", "counts", "environment", "seconds", "date", "key", "sha256")
    data = asdict(entry)
    return {name: data[name] for name in fields}


@dataclass(frozen=True)
class Bar:
    """An interval and its value on a scale, in percent; the interval is cut at the ends."""

    low: float
    value: float
    width: float


@dataclass(frozen=True)
class Scale:
    """The range of a column's bars."""

    low: float
    high: float

    def bar(self, score: Score) -> Bar:
        """Place a score on the scale."""
        low, value, high = (
            100 * (x - self.low) / (self.high - self.low)
            for x in (score.low, score.value, score.high)
        )
        low = max(low, 0.0)
        return Bar(low, value, max(min(high, 100.0) - low, 0.8))


def scales_of(table: Table) -> dict[str, Scale]:
    """Return the scale of each column: from its reliable scores, or from all if there are none."""
    scales = {}
    for column in table.columns:
        cells = [
            (row.entry, row.cells[column.name]) for row in table.rows if column.name in row.cells
        ]
        comparable = [(entry, cell.score) for entry, cell in cells if cell.comparable]
        scores = [
            score
            for entry, score in comparable
            if entry.model.kind != "reference" and not score.unreliable
        ] or [score for _, score in comparable]
        low = min((score.low for score in scores), default=0)
        high = max((score.high for score in scores), default=1)
        pad = (high - low) / 20 or abs(high) / 10 or 1.0
        scales[column.name] = Scale(low - pad, high + pad)
    return scales
