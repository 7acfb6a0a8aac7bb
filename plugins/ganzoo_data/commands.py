"""``ganzoo data``: draw avatars to files, and look at a folder of images before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from PIL import Image
    from rich.table import Table


#: Fewer images than this and a GAN tends to learn them by heart unless it is augmented.
FEW = 1000
_SHEET = 64  # images on a contact sheet
_SHOWN = 10

data = typer.Typer(help="Look at, draw and cache images.", no_args_is_help=True)


@data.callback()
def _group() -> None:
    pass


@data.command()
def render(
    out: Annotated[Path, typer.Option(help="A new or empty folder for the images.")],
    style: Annotated[str, typer.Option(help="Whose drawings.")] = "toon-head",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 64,
    size: Annotated[int, typer.Option(min=8, max=1024, help="Height and width.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
) -> None:
    """Draw avatars as PNG files.

    With their attributes, their attribution and a contact sheet.
    """
    import csv
    import json
    from contextlib import closing

    import numpy as np
    from PIL import Image
    from rich.console import Console

    from ganzoo.errors import DataError, nearest, one_of
    from ganzoo.progress import progress
    from ganzoo_data import render as draw
    from ganzoo_data.styles import LOOKS, STYLES

    if style not in STYLES:
        raise DataError(
            f"--style {style}: no such style{nearest(style, STYLES)} There is: {one_of(STYLES)}."
        )
    definition = draw.definition(style)
    _make_empty(out)
    look = LOOKS[style]
    values = look.values(definition)
    names = [f"{index:05}.png" for index in range(count)]
    shown: list[Image.Image] = []
    with (
        closing(draw.render(style, count, size, seed)) as drawings,
        progress(f"Drawing {style} avatars", count) as advance,
    ):
        for name, pixels in zip(names, drawings, strict=True):
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
            image.save(out / name)
            if len(shown) < _SHEET:
                shown.append(image)
            advance(1)
    rows = {name: draw.choose(look, values, seed, i) for i, name in enumerate(names)}
    (out / "attributes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    with (out / "attributes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *look.attributes])
        table.writerows([name, *row.values()] for name, row in rows.items())
    (out / "ATTRIBUTION.md").write_text(draw.attribution(style), encoding="utf-8")
    contact_sheet(shown).save(out / "sheet.png")
    Console().print(
        f"{count} {style} avatars of {size} px in [bold]{out}[/bold]; "
        f"see sheet.png, attributes.csv and ATTRIBUTION.md (the licence)."
    )


@data.command()
def check(
    path: Annotated[Path, typer.Argument(help="The folder; folders below it count too.")],
    size: Annotated[int, typer.Option(min=8, help="The size you mean to train at.")] = 64,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet (PNG) here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Look through a folder of images.

    Counts, sizes, damaged files and duplicates, and a contact sheet.
    """
    import json

    from PIL import Image
    from rich.console import Console

    from ganzoo.errors import DataError
    from ganzoo_data.survey import survey

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise DataError(f"--sheet {sheet}: a contact sheet is a PNG; end the name in .png.")
    found = survey(path.expanduser(), size, keep=_SHEET)
    if sheet is not None:
        tiles = [Image.fromarray(tile) for tile in found.tiles]
        try:
            contact_sheet(tiles or [Image.new("RGB", (size, size), "white")]).save(sheet)
        except OSError as error:
            raise DataError(f"--sheet {sheet} cannot be written: {error.strerror}.") from error
    report = found.report()
    report["warnings"] = warnings = _warnings(report, size)
    if as_json:
        typer.echo(json.dumps(report, indent=1))
        return
    console = Console()
    console.print(_table(path, report))
    for warning in warnings:
        console.print(f"[yellow]![/yellow] {warning}", highlight=False)
    if not warnings:
        console.print("[green]Nothing to complain about.[/green]")
    if sheet is not None:
        console.print(f"Contact sheet: [bold]{sheet}[/bold]")


def contact_sheet(images: list[Image.Image]) -> Image.Image:
    """Images of one size in a grid, about as high as wide."""
    from PIL import Image

    columns = max(1, round(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    width, height = images[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % columns * width, place // columns * height))
    return sheet


def _make_empty(out: Path) -> None:
    from ganzoo.errors import DataError

    try:
        out.mkdir(parents=True, exist_ok=True)
        full = any(out.iterdir())
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"--out {out}: there is a file of that name. Choose a folder.") from error
    except OSError as error:
        raise DataError(f"--out {out} cannot be used: {error.strerror}.") from error
    if full:
        raise DataError(f"--out {out} is not empty. Choose a new folder, or empty this one.")


def _warnings(report: dict[str, Any], size: int) -> list[str]:
    found = []
    if report["rejected"]:
        found.append(
            f"Unusable at {size} px: {len(report['rejected'])}. Dataset 'folder' leaves such files "
            f"out, and stops where they are more than max_bad (1 %) of all."
        )
    if report["exact_duplicates"]:
        found.append(
            f"Exact copies of another image: {report['exact_duplicates']}. Remove them, or they "
            f"weigh twice."
        )
    if report["near_duplicates"]:
        found.append(
            f"Further images that look like another one: {report['near_duplicates']} (frames of "
            f"one film, resized copies?)."
        )
    if report["usable"] < FEW:
        found.append(
            f"Few usable images: {report['usable']}. Below {FEW:,} a GAN tends to learn them by "
            f"heart. Collect more, set mirror: true, use augment."
        )
    if report["smallest_side"] and report["smallest_side"]["median"] < size:
        found.append(f"Most images are smaller than {size} px and will be enlarged, so blurred.")
    return found


def _table(path: Path, report: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title=str(path), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("images", f"{report['files']:,}, of which {report['usable']:,} usable")
    for label, name in (
        ("width", "width"),
        ("height", "height"),
        ("shorter side", "smallest_side"),
    ):
        if spread := report[name]:
            table.add_row(label, f"{spread['min']} to {spread['max']}, median {spread['median']:g}")
    table.add_row("formats", _counts(report["formats"]))
    table.add_row("modes", _counts(report["modes"]))
    table.add_row("gray", f"{report['gray_share']:.1%} of the images have no colour")
    table.add_row("exact duplicates", f"{report['exact_duplicates']:,}")
    table.add_row("near duplicates", f"{report['near_duplicates']:,}")
    rejected = [f"{name}: {why}" for name, why in report["rejected"].items()]
    more = [f"and {len(rejected) - _SHOWN} more (--json names all)"] * (len(rejected) > _SHOWN)
    table.add_row("unusable", "\n".join(rejected[:_SHOWN] + more) or "none")
    return table


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
