"""``ganzoo leaderboard``: rank models in the terminal, as Markdown or as a page."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.options import Json
from ganzoo.errors import RunError
from ganzoo.text import cell, say, say_json, say_table

if TYPE_CHECKING:
    from ganzoo.evaluation.standings import Column, Table

#: columns of text that does not go to a terminal
WIDE = 200
_NAME, _SCORE = 40, 8  # widest name, narrowest score


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Measure")(leaderboard)


def leaderboard(
    benchmark: Annotated[
        str | None,
        typer.Argument(
            metavar="BENCHMARK",
            help="Only this one, or a folder of entries.",
            autocompletion=completion.benchmarks,
        ),
    ] = None,
    entries: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Only the entries of a run, or of evaluate's --out; repeatable."
        ),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that sorts and filters.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print every score that fits, not only the first few.")
    ] = False,
    from_hub: Annotated[
        bool, typer.Option("--hub", help="Rank the models on the Hub by the scores in their cards.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Rank measured models: yours, those of `runs`, and those that come with ganzoo.

    Exit code 1 if an entry of yours cannot be read; the others are ranked all the same.
    """
    from ganzoo.evaluation import leaderboard as pages
    from ganzoo.evaluation.places import entry_folders

    if not entries and "/" in (benchmark or "") and (folder := Path(benchmark or "")).is_dir():
        benchmark, entries = None, [folder]
    name = benchmark or "BENCHMARK"
    if from_hub:
        if entries:
            raise RunError("--hub and --entries are two sources: give one.")
        from ganzoo.hub.search import standings

        boards, others = standings(benchmark)
        for entry in others:
            say(f"left out: {entry.problem}", err=True)
        under = f" under {benchmark}" if benchmark else ""
        nothing = f"no model on the Hub has scores{under}: `ganzoo search` lists all"
    else:
        folders = entry_folders(entries or ())
        boards = pages.all_standings(folders, benchmark)
        where = f" in {', '.join(map(str, entries))}" if entries else ""
        nothing = f"no entries{where} yet: `ganzoo evaluate MODEL --benchmark {name}` makes one."
    if as_json:
        say_json(pages.as_data(boards))
    elif not boards:
        say(nothing)
        return
    if markdown:
        write_page(markdown, pages.markdown(boards), "--markdown", as_json)
    if html:
        write_page(html, pages.page(boards), "--html", as_json)
    if not (as_json or markdown or html):
        width = shutil.get_terminal_size((WIDE, 24)).columns
        for board in boards:
            for table in board.tables:
                say(board.benchmark, bold=True, nl=False)
                say(f"  version {table.version}, protocol {table.protocol}")
                _print_table(table, table.columns if every else table.few, width)
        if any(board.tables for board in boards):
            say_wrapped(pages.HOW, width)
        if from_hub:
            say_wrapped(pages.CLAIMS, width)
    for omission in filter(None, (board.omission for board in boards)):
        say(omission, err=True)
    problems = [problem for board in boards for problem in board.problems]
    if problems:
        say(f"left out, because they cannot be read: {len(problems)}", err=True)
        for problem in problems:
            say(f"  {problem.path}: {problem.problem}", err=True)
        raise typer.Exit(1)


def write_page(path: Path, text: str, option: str, as_json: bool) -> None:
    """Write a page and say where; raises RunError if it cannot be written."""
    from ganzoo.files import write_atomic

    try:
        write_atomic(path, text)
    except OSError as error:
        raise RunError(f"{option} {path} cannot be written: {error.strerror or error}.") from error
    say(path, err=as_json)


# -- the terminal -----------------------------------------------------------------------------


def _print_table(table: Table, columns: Sequence[Column], width: int) -> None:
    from ganzoo.evaluation.leaderboard import (
        NO_WEIGHTS,
        OVER_SEEDS,
        cell_text,
        group_name,
        means,
        raised,
    )

    say_wrapped(table.apart, width)
    heads = ["rank", "model"]
    rows = [
        [
            "ref." if row.entry.model.kind == "reference" else row.place,
            row.entry.model.name + (f" ({NO_WEIGHTS})" if row.entry.model.is_baseline else ""),
            *(cell_text(row, column) for column in columns),
        ]
        for row in table.rows
    ]
    references = [i for i, row in enumerate(table.rows) if row.entry.model.kind == "reference"]
    others = grid(heads, columns, rows, width, references)
    if others:
        say_wrapped(f"No room here for: {', '.join(others)} (--json and --html show all).", width)
    if len(columns) < len(table.columns):
        say_wrapped(
            f"{len(table.columns) - len(columns)} more scores: --all, --html or --json.", width
        )
    for number, note in enumerate(table.notes, 1):
        say_wrapped(f"{raised(number)} {note}", width)
    if table.seeds:
        say("")
        say_wrapped(OVER_SEEDS, width)
        rows = [[group_name(group), *means(group, columns)] for group in table.seeds]
        grid(["recipe"], columns, rows, width)
    say("")


def grid(
    heads: Sequence[str],
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int,
    dim: Sequence[int] = (),
) -> list[str]:
    """Print as many columns as fit; return the names of the others."""
    from rich.table import Table as Grid

    from ganzoo.evaluation.leaderboard import heading

    table = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, head in enumerate(heads):
        widest = max(len(row[i]) for row in rows)
        table.add_column(
            head, width=max(len(head), min(widest, _NAME, width // 2 - 4)), overflow="ellipsis"
        )
    room = width - sum(column.width + 2 for column in table.columns if column.width)
    count = 0
    for i, column in enumerate(columns, len(heads)):
        size = max(_SCORE, *(len(row[i]) for row in rows))
        words = textwrap.wrap(heading(column), size)
        size = max(size, *map(len, words))
        if room < size:
            break
        table.add_column(cell(*words), width=size, no_wrap=True)
        room -= size + 2
        count += 1
    for i, row in enumerate(rows):
        cells = [cell(text, no_wrap=True) for text in row[: len(heads) + count]]
        table.add_row(*cells, style="dim" if i in dim else "")
    say_table(table, width)
    return [column.name for column in columns[count:]]


def say_wrapped(text: str, width: int) -> None:
    """Print text in lines of at most ``width`` and 100 letters."""
    if text:
        say(*textwrap.wrap(text, min(width, 100)))
