"""Present the leaderboard: numbers with intervals, Markdown, one self-contained page.

The page's frame is ``leaderboard.html`` in this package.  All text of entries is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganzoo.errors import RunError, nearest, one_of
from ganzoo.evaluation import result as entries
from ganzoo.evaluation.result import Entry, Score
from ganzoo.evaluation.standings import Column, Row, Standings, Summary, Table, flat, standings
from ganzoo.formats.page import escape, fill
from ganzoo.plugins.shipped import shipped_folder
from ganzoo.progress import duration
from ganzoo.text import plain

#: most bytes of a sample grid in the page
PICTURE_BYTES = 60_000
FOLDER = Path("benchmarks/entries")

HOW = (
    "Every score has its 95 % interval. A row is better than another where their first scores "
    "differ by more than √(h₁² + h₂²), h being half the width of each interval. A rank is one "
    "more than the number of rows that are better; = marks a row that cannot be told from some "
    "other. Reference rows are no models and have no rank."
)
CLAIMED = (
    "These are the claims of the models' cards: nobody has checked them. `ganzoo evaluate` does."
)
OVER_SEEDS = (
    "Over seeds: models of the same recipe, generator and steps, trained with different seeds "
    "(whatever else was changed by --set is not told apart). Mean and 95 % t-interval of the mean."
)


def entries_folder(chosen: Path | None = None) -> Path:
    """Return the entries folder: the ``chosen``, that of the current folder, or the shipped one.

    Raises RunError if the chosen one does not exist.
    """
    if chosen is not None and not chosen.is_dir():
        raise RunError(f"--entries {chosen} is no folder. `ganzoo evaluate` writes to {FOLDER}.")
    return chosen or (FOLDER if FOLDER.is_dir() else shipped_folder("benchmarks") / "entries")


def read_all(root: Path, benchmark: str | None = None) -> list[Standings]:
    """Read the standings of every benchmark with entries under ``root``, or of the one named.

    Raises RunError if there are others, but none for the one named.
    """
    names = entries.benchmarks(root)
    if benchmark is None or not names:
        return [standings(root, name) for name in names]
    if benchmark not in names:
        raise RunError(
            f"no entries for benchmark '{benchmark}'{nearest(benchmark, names)} There are some "
            f"for: {one_of(names)}. `ganzoo evaluate MODEL --benchmark NAME` makes one."
        )
    return [standings(root, benchmark)]


# -- numbers ----------------------------------------------------------------------------------


def reading(score: Score) -> str:
    """Format a score and its interval, both as exact as that allows: ``12.34 ± 0.56``.

    ``12.3 [11.9, 14.1]`` if the value is not in the middle.
    """
    size = max(abs(score.low), abs(score.high))
    power = math.floor(math.log10(size)) if size > 1e-100 else 0
    power = 0 if -4 <= power < 7 else power
    value, low, high = (x / 10.0**power for x in (score.value, score.low, score.high))
    side = (high - low) / 2
    varies = side > 1e-5 * abs(value)  # a smaller one has no meaningful digits
    exact = side if varies else abs(value) / 10
    decimals = min(max(0, 1 - math.floor(math.log10(exact))), 6) if exact else 0
    even = abs((value - low) - (high - value)) <= 0.02 * (high - low)
    around = f" ± {side:.{decimals}f}" if even else f" [{low:.{decimals}f}, {high:.{decimals}f}]"
    text = f"{value:.{decimals}f}{around}".replace("-", "−")
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
            {"benchmark": board.benchmark, "tables": [_table_data(t) for t in board.tables]}
            for board in boards
        ],
        "problems": [{"path": str(f.path), "problem": f.problem} for f in problems],
    }


def _table_data(table: Table) -> dict[str, Any]:
    return {
        "version": table.version,
        "protocol": table.protocol,
        "primary": table.primary.name,
        "apart": table.apart or None,
        "columns": [asdict(column) for column in table.columns],
        "rows": [_row_data(row, table) for row in table.rows],
        "over_seeds": [asdict(summary) for summary in table.seeds],
    }


def _row_data(row: Row, table: Table) -> dict[str, Any]:
    scores = {
        name: asdict(cell.score)
        | {"comparable": cell.comparable, "note": table.notes[cell.note - 1] if cell.note else None}
        for name, cell in row.cells.items()
    }
    own = asdict(row.entry)
    kept = ("model", "counts", "reported", "notes", "seconds", "date", "key", "sha256")
    head = {"rank": row.rank, "tied_with": list(row.tied)}
    return head | {name: own[name] for name in kept} | {"scores": scores}


# -- Markdown ---------------------------------------------------------------------------------


def markdown(boards: Sequence[Standings]) -> str:
    """Write ``LEADERBOARD.md``."""
    lines = ["# Leaderboard", "", _md(HOW), ""]
    for board in boards:
        lines += [f"## {_md(board.benchmark)}", ""]
        for table in board.tables:
            lines += [*_md_table(table), ""]
        if board.problems:
            lines += ["Files that are no entries:", ""]
            lines += [f"- {_md(f.path.name)}: {_md(f.problem)}" for f in board.problems] + [""]
    return "\n".join(lines)


def _md_table(table: Table) -> Iterator[str]:
    yield f"### Version {table.version}, protocol `{table.protocol}`"
    yield ""
    if table.apart:
        yield from (_md(table.apart), "")
    claims = any(row.entry.reported for row in table.rows)
    heads = _beside([*map(_unit_heading, table.columns)], "reported" if claims else None)
    yield _md_row(["rank", "model", *heads])
    yield _md_row(["--:", ":--", *["--:" for _ in heads]], raw=True)
    for row in table.rows:
        cells = [cell_text(row, column) for column in table.columns]
        cells = _beside(cells, _claims(row.entry) if claims else None)
        name = _md(row.entry.model.name)
        name = f"*{name}*" if row.entry.model.kind == "reference" else name
        yield _md_row([row.place or "–", name, *map(_md, cells)], raw=True)
    yield ""
    for number, note in enumerate(table.notes, 1):
        yield f"{raised(number)} {_md(note)}  "
    if table.seeds:
        yield from ("", _md(OVER_SEEDS), "")
        yield _md_row(["recipe", *map(heading, table.columns)])
        yield _md_row([":--", *["--:" for _ in table.columns]], raw=True)
        for summary in table.seeds:
            yield _md_row([group_name(summary), *means(summary, table.columns)])


def _beside(scores: list[str], claim: str | None) -> list[str]:
    """Put the claim beside the score that ranks."""
    return scores if claim is None else [scores[0], claim, *scores[1:]]


def _unit_heading(column: Column) -> str:
    return heading(column) + (f" ({column.unit})" if column.unit else "")


def _claims(entry: Entry) -> str:
    return "; ".join(f"{n} {claim.value:g} ({claim.source})" for n, claim in entry.reported.items())


def means(summary: Summary, columns: Iterable[Column]) -> list[str]:
    """Return the means of a recipe over its seeds, column by column."""
    found = (summary.scores.get(column.name) for column in columns)
    return [reading(score) if score else "–" for score in found]


def _md(text: str) -> str:
    """Escape text for Markdown, on one line."""
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", " ".join(plain(text).split()))


def _md_row(cells: Iterable[str], raw: bool = False) -> str:
    return f"| {' | '.join(cells if raw else map(_md, cells))} |"


# -- the page ---------------------------------------------------------------------------------


def page(boards: Sequence[Standings]) -> str:
    """Write ``leaderboard.html``, which is self-contained."""
    links = "".join(
        f'<a href="#{escape(board.benchmark)}">{escape(board.benchmark)}</a>' for board in boards
    )
    return fill(
        "evaluation/leaderboard.html",
        how=escape(HOW),
        links=f"<nav aria-label=Benchmarks>{links}</nav>" if len(boards) > 1 else "",
        boards="".join(_board(board) for board in boards),
    )


def _board(board: Standings) -> str:
    name = escape(board.benchmark)
    tables = "".join(_section(board.benchmark, table) for table in board.tables)
    problems = "".join(
        f"<li><code>{escape(f.path.name)}</code> {escape(f.problem)}</li>" for f in board.problems
    )
    if problems:
        problems = f'<div class="bad"><h3>Files that are no entries</h3><ul>{problems}</ul></div>'
    return f'<section id="{name}"><h2>{name}</h2>{tables}{problems}</section>'


def _section(benchmark: str, table: Table) -> str:
    first = table.rows[0].entry
    head = f"Version {table.version} <code>{table.protocol}</code>"
    counts = f"{first.counts.fakes:,} fakes against {first.counts.reference:,} real images"
    notes = "".join(f"<li value={i}>{escape(n)}</li>" for i, n in enumerate(table.notes, 1))
    return (
        f'<h3>{head}</h3><p class="note">{counts}; ranked by {escape(table.primary.name)}.</p>'
        + (f'<p class="apart">{escape(table.apart)}</p>' if table.apart else "")
        + _main_table(benchmark, table)
        + (f'<ol class="notes">{notes}</ol>' if notes else "")
        + (_seeds(table) if table.seeds else "")
        + _details("The protocol in full", _facts(_record(table)))
        + _details("The entries in full", "".join(map(_about, table.rows)))
    )


def _record(table: Table) -> dict[str, Any]:
    """Return the fullest record, as not all have the optional parts."""
    return max((row.entry.record for row in table.rows), key=lambda record: len([*flat(record)]))


def _main_table(benchmark: str, table: Table) -> str:
    pictures = {row.entry.model.name: _thumb(row) for row in table.rows}
    with_pictures = any(pictures.values())
    claims = any(row.entry.reported for row in table.rows)
    order = "descending" if table.primary.higher_is_better else "ascending"
    heads = '<th scope="col" data-first="up">Rank</th>'
    heads += "<td>Samples</td>" if with_pictures else ""
    heads += '<th scope="col" data-first="up">Model</th>'
    scores = [_head(table.primary, f' aria-sort="{order}"'), *map(_head, table.columns[1:])]
    heads += "".join(_beside(scores, "<td>Reported</td>" if claims else None))
    scales = {column.name: _scale(table, column) for column in table.columns}
    body = ""
    for place, row in enumerate(table.rows):
        cells = f'<td class="rank" data-v="{place}"{_tied(row)}>{row.place}</td>'
        cells += f"<td>{pictures[row.entry.model.name]}</td>" if with_pictures else ""
        cells += _name(row.entry)
        scores = [_cell(row, column, *scales[column.name]) for column in table.columns]
        cells += "".join(_beside(scores, _html_claims(row.entry) if claims else None))
        kind = row.entry.model.kind
        body += f'<tr class="{kind}" data-words="{escape(_words(row.entry))}">{cells}</tr>'
    caption = f"{benchmark}, version {table.version}"
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="board"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _head(column: Column, attributes: str = "") -> str:
    better = "higher" if column.higher_is_better else "lower"
    unit = f"<small>{escape(column.unit)}</small>" if column.unit else ""
    arrow = f'<abbr title="{better} is better">{column.arrow}</abbr>'
    first = "down" if column.higher_is_better else "up"
    return (
        f'<th scope="col" data-first="{first}"{attributes}>{escape(column.name)} {arrow}{unit}</th>'
    )


def _tied(row: Row) -> str:
    return f' title="cannot be told from {escape(", ".join(row.tied))}"' if row.tied else ""


def _name(entry: Entry) -> str:
    model = entry.model
    made = [model.recipe, f"{model.steps:,} steps" if model.steps is not None else None]
    how = [
        f"seed {model.seed}" if model.seed is not None else None,
        f"trained for {duration(model.training_seconds)}" if model.training_seconds else None,
    ]
    lines = [", ".join(filter(None, facts)) for facts in (made, how)]
    lines = [model.kind] if model.kind != "model" else lines
    small = "".join(f"<small>{escape(line)}</small>" for line in lines if line)
    return f'<th scope="row" data-v="{escape(model.name)}">{escape(model.name)}{small}</th>'


def _words(entry: Entry) -> str:
    """Return the text that the filter searches."""
    model = entry.model
    return " ".join(filter(None, (model.name, model.recipe, model.generator, model.kind))).lower()


def _html_claims(entry: Entry) -> str:
    claims = "".join(
        f"{escape(name)} {claim.value:g} <small>{escape(claim.source)}</small>"
        for name, claim in entry.reported.items()
    )
    return f'<td class="claims">{claims}</td>'


def _cell(row: Row, column: Column, low: float, high: float) -> str:
    cell = row.cells.get(column.name)
    if cell is None:
        return '<td class="none" data-v="">–</td>'
    note = f"<sup>{cell.note}</sup>" if cell.note else ""
    if not cell.comparable:
        return f'<td class="none" data-v="">other protocol{note}</td>'
    text = escape(reading(cell.score))
    value, space, rest = text.partition(" ")
    shown = text if text.startswith("(") else f"{value}<small>{space}{rest}</small>"
    return f'<td data-v="{cell.score.value!r}">{shown}{note}{_bar(cell.score, low, high)}</td>'


def _scale(table: Table, column: Column) -> tuple[float, float]:
    """Return the range of a column's bars: of reliable scores, else of all."""
    cells = [(row, row.cells[column.name]) for row in table.rows if column.name in row.cells]
    shown = [(row, cell.score) for row, cell in cells if cell.comparable]
    scores = [
        score
        for row, score in shown
        if row.entry.model.kind != "reference" and not score.unreliable
    ] or [score for _, score in shown]
    low, high = min((s.low for s in scores), default=0), max((s.high for s in scores), default=1)
    pad = (high - low) / 20 or abs(high) / 10 or 1.0
    return low - pad, high + pad


def _bar(score: Score, low: float, high: float) -> str:
    """Draw the interval on the column's scale; an arrow if the score is beyond it."""
    start, value, end = (
        100 * (x - low) / (high - low) for x in (score.low, score.value, score.high)
    )
    if value < 0 or value > 100:
        mark = "M5 1L0 4L5 7" if value < 0 else "M95 1L100 4L95 7"
        drawn = f'<path class="beyond" d="{mark}"/>'
    else:
        start, end = max(start, 0.0), min(end, 100.0)
        drawn = f'<rect x="{start:.1f}" y="2" width="{max(end - start, 0.8):.1f}" height="4"/>'
        drawn += f'<path class="value" d="M{value:.1f} 0V8"/>'
    svg = '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
    return f'{svg}<path class="axis" d="M0 4H100"/>{drawn}</svg>'


def _thumb(row: Row) -> str:
    from ganzoo.models.pictures import embed, opened

    picture = opened(row.picture)
    if picture is None:
        return ""
    uri, width = embed(picture, PICTURE_BYTES)
    image = f'<img src="{uri}" alt="Samples of {escape(row.entry.model.name)}">'
    return f'<button class="thumb" data-width="{width}">{image}</button>'


def _seeds(table: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(heading(c))}</th>' for c in table.columns)
    body = ""
    for summary in table.seeds:
        cells = "".join(f"<td>{escape(text)}</td>" for text in means(summary, table.columns))
        body += f'<tr><th scope="row">{escape(group_name(summary))}</th>{cells}</tr>'
    return (
        f'<p class="note">{escape(OVER_SEEDS)}</p><div class="wide"><table class="seeds"><thead>'
        f'<tr><th scope="col">Recipe</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>{body}</details>"


def _about(row: Row) -> str:
    entry = row.entry
    notes = "".join(f"<p>{escape(line)}</p>" for line in entry.notes.splitlines() if line.strip())
    data = asdict(entry)
    told = ("model", "counts", "environment", "seconds", "date", "key", "sha256")
    facts = _facts({name: data[name] for name in told})
    return f"<details><summary>{escape(entry.model.name)}</summary>{notes}{facts}</details>"


def _facts(data: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(str(value))}</td></tr>'
        for key, value in flat(data)
        if value is not None
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>'
