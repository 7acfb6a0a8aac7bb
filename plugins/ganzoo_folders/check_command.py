"""``ganzoo data check``: look at folders of images before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.errors import DataError
from ganzoo.files import expand
from ganzoo.text import cell, say, say_json, say_table
from ganzoo_folders.commands import SHOWN, TILES, check_sheet, save_sheet, warn

if TYPE_CHECKING:
    from rich.table import Table

    from ganzoo_folders.survey import Survey


def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The folder (of the photos, with --cartoons).")
    ],
    cartoons: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The cartoons that the photos in PATH should resemble."
        ),
    ] = None,
    smooth: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The cartoons with smoothed edges; needs --cartoons."),
    ] = None,
    size: Annotated[
        int, typer.Option(metavar="N", min=8, help="The size you mean to train at.")
    ] = 64,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a contact sheet (PNG) here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Look through images, or through photos and cartoons together.

    Reports counts, sizes, damaged files and duplicates, and makes a contact sheet of PATH.  With
    --cartoons it also reports folders that are swapped, too small, or not smoothed.
    """
    from PIL import Image

    from ganzoo_folders.survey import survey

    if sheet is not None:
        check_sheet(sheet, path, cartoons, smooth)
    if smooth is not None and cartoons is None:
        raise DataError("--smooth is compared with the cartoons; name them, too: --cartoons DIR.")
    folders = {"photo": path} if cartoons else {"": path}
    folders |= {name: p for name, p in (("real", cartoons), ("smooth", smooth)) if p is not None}
    _refuse_the_same(folders)
    surveys = {
        name: survey(expand(place), size, keep=TILES if place is path else 0)
        for name, place in folders.items()
    }
    if sheet is not None:
        tiles = [Image.fromarray(tile) for tile in next(iter(surveys.values())).tiles]
        save_sheet(tiles or [Image.new("RGB", (size, size), "white")], sheet)
    reports: dict[str, Any] = {name: one.report() for name, one in surveys.items()}
    warnings = _warnings_together(**surveys) if cartoons else []
    for name, report in reports.items():
        warnings += [f"{name}: {text}" if name else text for text in _warnings(report, size, name)]
    if as_json:
        plain = reports if cartoons else reports[""]
        say_json({**plain, "warnings": warnings})
        return
    for name, report in reports.items():
        table = _table(f"{name}: {folders[name]}" if name else str(path), report)
        if others := surveys[name].scan.not_looked_at():
            table.add_row("not looked at", cell(*others.replace("), ", ")\n").splitlines()))
        say_table(table)
    for warning in warnings:
        warn(warning)
    if not warnings:
        say("No problem found.", colour="green")
    if sheet is not None:
        say(f"Contact sheet: {sheet}")


def _refuse_the_same(folders: dict[str, Path]) -> None:
    names: dict[Path, str] = {}
    for name, path in folders.items():
        place = expand(path).resolve()
        if place in names:
            raise DataError(f"{names[place]} and {name} are the same folder, '{path}'.")
        names[place] = name


def _warnings_together(photo: Survey, real: Survey, smooth: Survey | None = None) -> list[str]:
    """Warn about photos, cartoons and smoothed cartoons that do not go together."""
    from ganzoo_folders import domains
    from ganzoo_folders.edges import SAME

    warnings = []
    source, target = photo.domain(), real.domain()
    if domains.swapped(source, target):
        warnings.append(
            f"The folders seem to be swapped: {photo.path} looks like drawings "
            f"({source.score:+.1f}; photos are below 0), {real.path} like photos "
            f"({target.score:+.1f}). Dataset 'unpaired' would stop."
        )
    else:
        if source.verdict == "drawings":
            warnings.append(f"photo: {photo.path} looks like drawings ({source.score:+.1f}).")
        if target.verdict == "photos":
            warnings.append(f"real: {real.path} looks like photos ({target.score:+.1f}).")
    if both := photo.same_as(real):
        warnings.append(f"Photos that are also among the cartoons: {both:,}. Remove one of each.")
    same = smooth.same_as(real) if smooth else 0
    if smooth and same > SAME * min(len(smooth.usable), len(real.usable)):
        warnings.append(
            f"Smoothed images that equal a cartoon: {same:,} of {len(smooth.usable):,}. The "
            f"discriminator would have to call the same image true and false. Make them with "
            f"`ganzoo data edges`."
        )
    elif smooth and same:
        warnings.append(
            f"Cartoons that have no edges to smooth: {same:,} of {len(smooth.usable):,}."
        )
    return warnings


def _warnings(report: dict[str, Any], size: int, name: str) -> list[str]:
    """Warn about one folder; ``name`` is its role in a set, or empty."""
    from ganzoo_folders.survey import FEW

    warnings = []
    if report["rejected"]:
        warnings.append(
            f"Unusable at {size} px: {len(report['rejected'])}. Datasets leave such files out, and "
            f"stop if they are more than max_bad (1 %) of all."
        )
    if report["exact_duplicates"]:
        warnings.append(
            f"Exact copies of another image: {report['exact_duplicates']}. Remove them, or they "
            f"count twice."
        )
    if report["near_duplicates"]:
        warnings.append(
            f"Further images that look like another one: {report['near_duplicates']} (frames of "
            f"one film, resized copies?)."
        )
    if report["usable"] < FEW and name != "smooth":
        authors = " The authors of CartoonGAN used thousands of cartoons." * (name == "real")
        warnings.append(
            f"Few usable images: {report['usable']}. Below {FEW:,} a GAN tends to learn them by "
            f"heart.{authors} Collect more, set mirror: true, use augment."
        )
    if report["smallest_side"] and report["smallest_side"]["median"] < size:
        warnings.append(f"Most images are smaller than {size} px and will be enlarged, so blurred.")
    notes = report["notes"].items()
    return warnings + [f"{note[0].upper()}{note[1:]}: {n:,}." for note, n in notes]


def _table(title: str, report: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title=cell(title), show_header=False, title_justify="left")
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
    table.add_row("formats", cell(_counts(report["formats"])))
    table.add_row("modes", cell(_counts(report["modes"])))
    table.add_row("gray", f"{report['gray_share']:.1%} of the images have no colour")
    table.add_row("looks like", f"{report['looks_like']} ({report['drawn']:+.1f}; photos below 0)")
    table.add_row("exact duplicates", f"{report['exact_duplicates']:,}")
    table.add_row("near duplicates", f"{report['near_duplicates']:,}")
    rejects = [f"{name}: {why}" for name, why in report["rejected"].items()]
    more = [f"and {len(rejects) - SHOWN} more (--json names all)"] * (len(rejects) > SHOWN)
    table.add_row("unusable", cell(*rejects[:SHOWN], *more) if rejects else "none")
    return table


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
