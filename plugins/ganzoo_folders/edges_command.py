"""``ganzoo data edges``: copies of cartoons with smoothed edges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.errors import DataError, nearest, one_of
from ganzoo.files import expand
from ganzoo.text import say
from ganzoo_folders.commands import SHOWN, check_sheet, save_sheet, warn

if TYPE_CHECKING:
    from PIL import Image

    from ganzoo_folders.edge_copies import Job, Smoothed

_EXAMPLES = 12  # images on the sheet


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
    from ganzoo_folders.edge_copies import Job

    for option, value, limits in (
        ("--blur", blur, ("gaussian", "mean")),
        ("--mask", mask, ("hard", "feathered")),
    ):
        if value not in limits:
            raise DataError(
                f"{option} {value}: no such choice{nearest(value, limits)} Available: "
                f"{one_of(limits)}."
            )
    out = expand(out)
    if sheet is None:
        sheet = sheet_beside(out)
    else:
        check_sheet(sheet, path, out)
    job = Job(expand(path), out, size, blur, mask)  # type: ignore[arg-type]
    result = job.run()
    if result.fresh or not sheet.exists():
        save_sheet(_triplets(job, result), sheet, columns=6)
    if result.fresh:
        old = len(result.copies) - result.fresh
        more = f" (beside {old:,} of an earlier call)" if old else ""
        say(f"{result.fresh:,} images with smoothed edges in {out}{more}.")
    else:
        say(f"{out} has all {len(result.copies):,} already: nothing to do.")
    _say_what_changed(result)
    say(f"Original, smoothed, mask: {sheet}")


def _triplets(job: Job, result: Smoothed) -> list[Image.Image]:
    """Return original, smoothed copy and mask of some images, spread over the folder."""
    import numpy as np
    from PIL import Image

    def fitted(image: Image.Image, side: int = 256) -> Image.Image:
        # a large image is reduced, a small one gets larger pixels
        scale = side / max(image.size)
        width, height = (max(1, round(length * scale)) for length in image.size)
        kind = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
        square = Image.new("RGB", (side, side), "gray")
        place = ((side - width) // 2, (side - height) // 2)
        square.paste(image.resize((width, height), kind), place)
        return square

    names = list(result.copies)
    step = max(1, len(names) // _EXAMPLES)
    tiles = []
    for name in names[::step][:_EXAMPLES]:
        before, after, where = job.look(name)
        mask = where.astype(np.uint8) * 255
        tiles += [fitted(Image.fromarray(pixels)) for pixels in (before, after, mask)]
    return tiles


def _say_what_changed(result: Smoothed) -> None:
    from statistics import median

    from ganzoo_folders.edge_copies import USUAL

    shares = result.changed()
    say(
        f"Changed pixels: median {median(shares):.1%}, from {min(shares):.1%} to {max(shares):.1%}."
    )
    low, high = result.unusual()
    why_low = "no edges found? Blurred or blank images teach nothing about edges."
    why_high = "edges almost everywhere: noise, texture, or too few pixels (try a larger --size)."
    for names, text in (
        (low, f"Under {USUAL[0]:.1%} changed in {len(low):,}: {why_low}"),
        (high, f"Over {USUAL[1]:.0%} changed in {len(high):,}: {why_high}"),
        (list(result.rejects), f"Unusable, left out: {len(result.rejects):,}."),
        (
            result.stale,
            f"Copies whose original was removed or became unusable: {len(result.stale):,}.",
        ),
    ):
        if names:
            lines = [
                f"{name}: {result.rejects[name]}" if name in result.rejects else name
                for name in names[:SHOWN]
            ]
            more = [f"and {len(names) - SHOWN:,} more"] * (len(names) > SHOWN)
            warn(text)
            say(*(f"    {line}" for line in lines + more))
    for note in result.notes():
        say(f"{note[0].upper()}{note[1:]}.")
    if result.not_looked_at:
        say(f"Not looked at: {result.not_looked_at}.")
