"""``ganzoo compare``: runs and models side by side, in the terminal or as a page."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.leaderboard import WIDE, grid, say_wrapped, write_page
from ganzoo.cli.options import Json
from ganzoo.errors import RunError
from ganzoo.progress import status
from ganzoo.text import cell, say, say_json, say_table

if TYPE_CHECKING:
    from ganzoo.evaluation.standings import Table
    from ganzoo.models.model import Model
    from ganzoo.training.charts import Curve
    from ganzoo.training.comparison import Comparison
    from ganzoo.training.contestant import Contestant
    from ganzoo.training.lineup import Lineup

#: narrowest column of a contestant, and widest one of keys
_NARROW, _KEY = 16, 30


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Measure")(compare)


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Two or more run or model folders, or user/repo from the Hub.",
            autocompletion=completion.models,
        ),
    ],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page, with curves and pictures too."),
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Photos or folders for models that translate them; default some of a run's "
            "dataset; repeatable.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of latents, labels, and images of a dataset.")
    ] = 0,
    pictures: Annotated[
        bool, typer.Option(help="Draw pictures; without, models may have different sizes.")
    ] = True,
    entries: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Scores of a run, or of evaluate's --out; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare runs and models: scores, curves, pictures and recipes.

    Runs that differ in their seed alone are shown with their mean and spread.
    """
    from ganzoo.hub.locate import locate
    from ganzoo.plugins.manager import installed
    from ganzoo.training.contestant import named, read_contestant, refuse_unlike

    if twice := [source for i, source in enumerate(sources) if source in sources[:i]]:
        raise RunError(f"{twice[0]} is named twice. Name each run or model once.")
    registry = installed().registry
    places = {source: locate(source, registry) for source in sources}
    contestants = [
        read_contestant(name, source, place.folder)
        for name, (source, place) in zip(named(sources), places.items(), strict=True)
    ]
    refuse_unlike(contestants, pictures)
    if photo and any(one.kind == "noise" for one in contestants):
        raise RunError("--photo is for models that translate photos; these draw from noise.")
    from ganzoo.evaluation.places import entry_folders
    from ganzoo.hub.locate import load
    from ganzoo.training.comparison import Comparison, groups_of, standings_of

    folders = entry_folders(entries or ())
    with status("opening the models"):  # imports torch, so cheap mistakes come first
        models = {
            one.name: load(place, registry)
            for one, place in zip(contestants, places.values(), strict=True)
            if one.config
        }
    groups = groups_of(contestants)
    comparison = Comparison(contestants, standings_of(models, groups, folders))
    if html:
        lineup = _lineup(contestants, models, photo or [], seed) if pictures else None
        write_page(html, comparison.page(lineup), "--html", as_json)
    if as_json:
        say_json(comparison.as_data())
    elif not html:
        _print(comparison, shutil.get_terminal_size((WIDE, 24)).columns)


def _lineup(
    contestants: Sequence[Contestant],
    models: Mapping[str, Model],
    photos: Sequence[Path],
    seed: int,
) -> Lineup:
    """Draw the same with each model."""
    from ganzoo.errors import GanzooError, reason
    from ganzoo.models.model import device
    from ganzoo.plugins.manager import installed
    from ganzoo.training import lineup

    for model in models.values():
        model.generator.to(device())
    with status("drawing pictures"):
        if all(model.config.input.kind == "noise" for model in models.values()):
            return lineup.from_noise(models, seed)
        if photos:
            return lineup.from_images(models, lineup.read_photos(photos, models), seed)
        run = next((one for one in contestants if one.is_run), None)
        if run is None:
            return lineup.Lineup({}, ["no pictures: --photo names photos to translate"])
        try:
            recipe = run.folder / "recipe.yaml"
            examples = lineup.dataset_examples(recipe, models, installed().registry, seed)
        except GanzooError as error:
            why = f"the dataset of {run.name} cannot be opened: {reason(error)}"
            return lineup.Lineup({}, [f"no pictures: {why}. --photo names photos to translate"])
        return lineup.from_images(models, examples, seed)


# -- the terminal -----------------------------------------------------------------------------


def _print(comparison: Comparison, width: int) -> None:
    from ganzoo.training.comparison import how_to_measure

    for one in comparison.contestants:
        if one.problem:
            say(f"warning: {one.name}: {one.problem}", err=True)
    say("scores", bold=True)
    for board in comparison.standings:
        for table in board.tables:
            say(f"{board.benchmark}  version {table.version}, protocol {table.protocol}")
            _print_scores(table, width)
    if missing := comparison.unmeasured():
        names = ", ".join(one.name for one in missing)
        say_wrapped(f"{names}: no scores with intervals yet: {how_to_measure(missing)}", width)
    for spread in comparison.spreads():
        say_wrapped(f"{spread.group}, while training: {spread.score} {spread}", width)
    say("")
    say("recipes", bold=True)
    if verdict := comparison.verdict():
        say_wrapped(verdict, width)
    _columns(comparison.differences(), comparison.names, width)
    say("")
    say("training", bold=True)
    _columns(comparison.facts(), comparison.names, width)
    if charts := comparison.charts():
        say("")
        say("last values, averaged over the steps before; range of the seeds", bold=True)
        groups = list(comparison.groups())
        lasts: dict[str, list[str]] = {}
        for chart in charts:
            ends = {curve.name: _last(curve) for curve in chart.curves if curve.raw}
            lasts[chart.title] = [ends.get(name, "–") for name in groups]
        _columns(lasts, groups, width)
    say("")
    say("curves and pictures: add --html FILE")


def _last(curve: Curve) -> str:
    """Write the last value of a curve, with the range of its members if it is a mean."""
    from ganzoo.training.charts import number

    span = f" ({number(curve.ends[0])} to {number(curve.ends[1])})" if curve.members else ""
    return f"{number(curve.smooth[-1][1])}{span}"


def _print_scores(table: Table, width: int) -> None:
    """Print every score, in as many blocks of columns as it takes."""
    from ganzoo.evaluation.leaderboard import cell_text, heading, means, raised

    say_wrapped(table.apart, width)
    dim = [i for i, row in enumerate(table.rows) if row.entry.model.kind == "reference"]
    columns = list(table.columns)
    while columns:
        cells = [
            [row.place, row.entry.model.name, *(cell_text(row, column) for column in columns)]
            for row in table.rows
        ]
        rest = grid(["rank", "model"], columns, cells, width, dim)
        columns = columns[len(columns) - len(rest) :] if len(rest) < len(columns) else []
    for number, note in enumerate(table.notes, 1):
        say_wrapped(f"{raised(number)} {note}", width)
    if table.seeds:
        say("mean over seeds, and its 95 % t-interval")
        names = [group.recipe for group in table.seeds]
        by_group = [means(group, table.columns) for group in table.seeds]
        rows = zip(*by_group, strict=True)
        _columns(
            {heading(c): row for c, row in zip(table.columns, rows, strict=True)}, names, width
        )


def _columns(rows: Mapping[str, Sequence[str]], names: Sequence[str], width: int) -> None:
    """Print rows of one value for each name, in as many blocks of names as it takes."""
    from rich.table import Table as Grid

    if not rows:
        return
    first = min(max(map(len, rows)), _KEY, width // 2)
    count = max(1, (width - first) // (_NARROW + 2))
    for start in range(0, len(names), count):
        block = names[start : start + count]
        table = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("", width=first, overflow="fold")
        for name in block:
            table.add_column(cell(name), overflow="fold")
        for key, values in rows.items():
            table.add_row(cell(key), *map(cell, values[start : start + count]))
        say_table(table, width)
