"""``ganzoo data``: images to files, and a look at folders of images before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.files import expand
from ganzoo.text import cell, say, say_json, say_table
from ganzoo_data.faces_command import faces

if TYPE_CHECKING:
    from PIL import Image
    from rich.table import Table

    from ganzoo_data.edge_copies import Job, Smoothed
    from ganzoo_data.survey import Survey


_SHEET = 64  # images on a contact sheet
_SHOWN = 10
_EXAMPLES = 12  # images on a sheet of smoothed edges

data = typer.Typer(help="Inspect, draw, crop and smooth images.", no_args_is_help=True)
data.command()(faces)


@data.callback()
def _group() -> None:
    pass


@data.command()
def render(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A new or empty folder for the images.")
    ],
    style: Annotated[str, typer.Option(metavar="STYLE", help="Whose drawings.")] = "toon-head",
    count: Annotated[int, typer.Option(metavar="N", min=1, help="How many.")] = 64,
    size: Annotated[
        int, typer.Option(metavar="N", min=8, max=1024, help="Height and width.")
    ] = 256,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Which ones.")] = 0,
) -> None:
    """Draw avatars as PNG files.

    Writes attributes and attribution too, and a contact sheet beside the folder, OUT-sheet.png.
    """
    import csv
    import json
    from contextlib import closing

    import numpy as np
    from PIL import Image

    from ganzoo.errors import DataError, nearest, one_of
    from ganzoo.progress import progress
    from ganzoo.scan import sheet_beside
    from ganzoo_data import render as draw
    from ganzoo_data.styles import LOOKS, STYLES

    if style not in STYLES:
        raise DataError(
            f"--style {style}: no such style{nearest(style, STYLES)} Available: {one_of(STYLES)}."
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
    sheet = sheet_beside(out)
    _save_sheet(shown, sheet)
    say(
        f"{count} {style} avatars of {size} px in {out}, with attributes.csv and "
        f"ATTRIBUTION.md (the licence); see {sheet}."
    )


@data.command()
def edges(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The cartoons; folders below it count too.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The folder for the copies, beside PATH.")
    ],
    size: Annotated[
        int | None,
        typer.Option(metavar="N", min=8, help="Resize the shorter side to this; else as they are."),
    ] = None,
    blur: Annotated[
        str, typer.Option(metavar="HOW", help="gaussian, or mean as in CartoonGAN's code.")
    ] = ("gaussian"),
    mask: Annotated[
        str, typer.Option(metavar="HOW", help="hard, or feathered, which leaves no seam.")
    ] = "hard",
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to show some (PNG); default OUT-sheet.png."),
    ] = None,
) -> None:
    """Copy cartoons with smooth edges, as CartoonGAN needs them.

    Copies of an earlier call are kept.  A sheet shows originals, copies and masks.
    """
    from ganzoo.scan import sheet_beside
    from ganzoo_data.edge_copies import Job

    _refuse_other_than("--blur", blur, ("gaussian", "mean"))
    _refuse_other_than("--mask", mask, ("hard", "feathered"))
    out = expand(out)
    if sheet is None:
        sheet = sheet_beside(out)
    else:
        _refuse_no_png(sheet)
        _refuse_inside(sheet, path, out)
    job = Job(expand(path), out, size, blur, mask)  # type: ignore[arg-type]
    done = job.run()
    if done.made or not sheet.exists():
        _save_sheet(_triplets(job, done), sheet, columns=6)
    if done.made:
        there = len(done.copies) - done.made
        rest = f" ({there:,} were there)" if there else ""
        say(f"{done.made:,} images with smoothed edges in {out}{rest}.")
    else:
        say(f"All {len(done.copies):,} are in {out} already: nothing to do.")
    _say_what_changed(done)
    say(f"Original, smoothed, mask: {sheet}")


@data.command()
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

    Counts, sizes, damaged files, duplicates and a contact sheet of PATH; of photos and cartoons
    also whether they are swapped, too few, or not smoothed.
    """
    from PIL import Image

    from ganzoo.errors import DataError
    from ganzoo_data.survey import survey

    if sheet is not None:
        _refuse_no_png(sheet)
        _refuse_inside(sheet, path, cartoons, smooth)
    if smooth is not None and cartoons is None:
        raise DataError("--smooth is compared with the cartoons; name them, too: --cartoons DIR.")
    given = {"photo": path} if cartoons else {"": path}
    given |= {name: p for name, p in (("real", cartoons), ("smooth", smooth)) if p is not None}
    _refuse_the_same(given)
    found = {
        name: survey(expand(place), size, keep=_SHEET if place is path else 0)
        for name, place in given.items()
    }
    if sheet is not None:
        tiles = [Image.fromarray(tile) for tile in next(iter(found.values())).tiles]
        _save_sheet(tiles or [Image.new("RGB", (size, size), "white")], sheet)
    reports: dict[str, Any] = {name: one.report() for name, one in found.items()}
    warnings = [
        f"{name}: {text}" if name else text
        for name, report in reports.items()
        for text in _warnings(report, size, name)
    ]
    if cartoons:
        warnings = [*_together(**found), *warnings]
    if as_json:
        plain = reports if cartoons else reports[""]
        say_json({**plain, "warnings": warnings})
        return
    for name, report in reports.items():
        table = _table(f"{name}: {given[name]}" if name else str(path), report)
        if left_out := found[name].scan.not_looked_at():
            table.add_row("not looked at", cell(*left_out.replace("), ", ")\n").splitlines()))
        say_table(table)
    for warning in warnings:
        _warn(warning)
    if not warnings:
        say("Nothing to complain about.", colour="green")
    if sheet is not None:
        say(f"Contact sheet: {sheet}")


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


def _refuse_no_png(sheet: Path) -> None:
    from ganzoo.errors import DataError

    if sheet.suffix.lower() != ".png":
        raise DataError(f"--sheet {sheet}: a contact sheet is a PNG; end the name in .png.")


def _refuse_inside(sheet: Path, *folders: Path | None) -> None:
    """A sheet among the images would be taken for one of them next time."""
    from ganzoo.errors import DataError
    from ganzoo.scan import sheet_beside

    for folder in folders:
        if folder and sheet.resolve().is_relative_to(expand(folder).resolve()):
            raise DataError(
                f"--sheet {sheet} lies among the images of {folder}, and would be one of them next "
                f"time. Write it elsewhere, as {sheet_beside(folder)}."
            )


def _save_sheet(images: list[Image.Image], sheet: Path, columns: int | None = None) -> None:
    from ganzoo.errors import DataError
    from ganzoo_data.sheet import contact_sheet

    try:
        contact_sheet(images, columns).save(sheet)
    except OSError as error:
        raise DataError(f"--sheet {sheet} cannot be written: {error.strerror}.") from error


def _refuse_other_than(option: str, value: str, allowed: tuple[str, ...]) -> None:
    from ganzoo.errors import DataError, nearest, one_of

    if value not in allowed:
        raise DataError(
            f"{option} {value}: no such choice{nearest(value, allowed)} Available: "
            f"{one_of(allowed)}."
        )


def _refuse_the_same(folders: dict[str, Path]) -> None:
    from ganzoo.errors import DataError

    seen: dict[Path, str] = {}
    for name, path in folders.items():
        place = expand(path).resolve()
        if place in seen:
            raise DataError(f"{seen[place]} and {name} are the same folder, '{path}'.")
        seen[place] = name


def _triplets(job: Job, done: Smoothed) -> list[Image.Image]:
    """Some images, spread over the folder: original, smoothed and mask each."""
    import numpy as np
    from PIL import Image

    names = list(done.copies)
    step = max(1, len(names) // _EXAMPLES)
    found = []
    for name in names[::step][:_EXAMPLES]:
        before, after, where = job.look(name)
        mask = where.astype(np.uint8) * 255
        found += [_fit(Image.fromarray(pixels)) for pixels in (before, after, mask)]
    return found


def _fit(image: Image.Image, side: int = 256) -> Image.Image:
    """An image in a square: a large one reduced, a small one with larger pixels."""
    from PIL import Image

    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    kind = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (side, side), "gray")
    square.paste(image.resize((width, height), kind), ((side - width) // 2, (side - height) // 2))
    return square


def _warn(text: str) -> None:
    say("! ", colour="yellow", nl=False)
    say(text)


def _say_what_changed(done: Smoothed) -> None:
    from statistics import median

    from ganzoo_data.edge_copies import USUAL

    shares = done.changed()
    say(
        f"Changed pixels: median {median(shares):.1%}, from {min(shares):.1%} to {max(shares):.1%}."
    )
    low, high = done.unusual()
    why_low = "no edges found? Blurred or blank images teach nothing about edges."
    why_high = "edges almost everywhere: noise, texture, or too few pixels (try a larger --size)."
    for names, said in (
        (low, f"Under {USUAL[0]:.1%} changed in {len(low):,}: {why_low}"),
        (high, f"Over {USUAL[1]:.0%} changed in {len(high):,}: {why_high}"),
        (list(done.rejected), f"Unusable, left out: {len(done.rejected):,}."),
        (
            done.stale,
            f"Copies whose original is gone or unusable, still there: {len(done.stale):,}.",
        ),
    ):
        if names:
            shown = [
                f"{name}: {done.rejected[name]}" if name in done.rejected else name
                for name in names[:_SHOWN]
            ]
            more = [f"and {len(names) - _SHOWN:,} more"] * (len(names) > _SHOWN)
            _warn(said)
            say(*(f"    {line}" for line in shown + more))
    for note in done.notes():
        say(f"{note[0].upper()}{note[1:]}.")
    if done.not_looked_at:
        say(f"Not looked at: {done.not_looked_at}.")


def _together(photo: Survey, real: Survey, smooth: Survey | None = None) -> list[str]:
    """What is wrong with photos and cartoons, and with smoothed cartoons, as a set."""
    from ganzoo_data import domains
    from ganzoo_data.edges import SAME

    found = []
    source, target = photo.domain(), real.domain()
    if domains.swapped(source, target):
        found.append(
            f"The folders seem to be swapped: {photo.path} looks like drawings "
            f"({source.score:+.1f}; photos are below 0), {real.path} like photos "
            f"({target.score:+.1f}). Dataset 'unpaired' would stop."
        )
    else:
        if source.verdict == "drawings":
            found.append(f"photo: {photo.path} looks like drawings ({source.score:+.1f}).")
        if target.verdict == "photos":
            found.append(f"real: {real.path} looks like photos ({target.score:+.1f}).")
    if both := photo.same_as(real):
        found.append(f"Photos that are also among the cartoons: {both:,}. Remove them from one.")
    same = smooth.same_as(real) if smooth else 0
    if smooth and same > SAME * min(len(smooth.seen), len(real.seen)):
        found.append(
            f"Smoothed images that equal a cartoon: {same:,} of {len(smooth.seen):,}. The "
            f"discriminator would have to call the same image true and false; make them with "
            f"`ganzoo data edges`."
        )
    elif smooth and same:
        found.append(f"Cartoons that have no edges to smooth: {same:,} of {len(smooth.seen):,}.")
    return found


def _warnings(report: dict[str, Any], size: int, name: str = "") -> list[str]:
    from ganzoo_data.survey import FEW

    found = []
    if report["rejected"]:
        found.append(
            f"Unusable at {size} px: {len(report['rejected'])}. Datasets leave such files out, and "
            f"stop where they are more than max_bad (1 %) of all."
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
    if report["usable"] < FEW and name != "smooth":
        authors = " The authors of CartoonGAN used thousands of cartoons." * (name == "real")
        found.append(
            f"Few usable images: {report['usable']}. Below {FEW:,} a GAN tends to learn them by "
            f"heart.{authors} Collect more, set mirror: true, use augment."
        )
    if report["smallest_side"] and report["smallest_side"]["median"] < size:
        found.append(f"Most images are smaller than {size} px and will be enlarged, so blurred.")
    return found + [f"{note[0].upper()}{note[1:]}: {n:,}." for note, n in report["notes"].items()]


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
    rejected = [f"{name}: {why}" for name, why in report["rejected"].items()]
    more = [f"and {len(rejected) - _SHOWN} more (--json names all)"] * (len(rejected) > _SHOWN)
    table.add_row("unusable", cell(*rejected[:_SHOWN], *more) if rejected else "none")
    return table


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
