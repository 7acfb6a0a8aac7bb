"""``ganzoo data render``: avatars as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.errors import DataError, nearest, one_of
from ganzoo.text import say

if TYPE_CHECKING:
    from PIL import Image


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
    layouts: Annotated[
        bool, typer.Option("--layouts", help="Their layouts too, in OUT-layouts.")
    ] = False,
) -> None:
    """Draw avatars as PNG files.

    Writes attributes and attribution too, and a contact sheet beside the folder, OUT-sheet.png.
    """
    import csv
    import json
    from contextlib import closing

    import numpy as np
    from PIL import Image

    from ganzoo.progress import progress
    from ganzoo.scan import sheet_beside
    from ganzoo_avatars.codes import PARTS
    from ganzoo_avatars.drawing import draw
    from ganzoo_avatars.render import AVATARS, attribution, choose, definition
    from ganzoo_avatars.styles import LOOKS, STYLES
    from ganzoo_folders.commands import TILES, save_sheet

    if style not in STYLES:
        raise DataError(
            f"--style {style}: no such style{nearest(style, STYLES)} Available: {one_of(STYLES)}."
        )
    if layouts and style not in PARTS:
        raise DataError(
            f"--layouts: the parts of style {style} are not known. Styles: {one_of(PARTS)}."
        )
    look = LOOKS[style]
    values = look.values(definition(style))
    try:
        out.mkdir(parents=True, exist_ok=True)
        full = any(out.iterdir())
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"--out {out}: there is a file of that name. Choose a folder.") from error
    except OSError as error:
        raise DataError(f"--out {out} cannot be used: {error.strerror}.") from error
    if full:
        raise DataError(f"--out {out} is not empty. Choose a new folder, or empty this one.")
    names = [f"{index:05}.png" for index in range(count)]
    tiles: list[Image.Image] = []
    with (
        closing(draw(AVATARS, style, count, size, seed)) as drawings,
        progress(f"Drawing {style} avatars", count) as advance,
    ):
        for name, pixels in zip(names, drawings, strict=True):
            image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
            image.save(out / name)
            if len(tiles) < TILES:
                tiles.append(image)
            advance(1)
    if layouts:
        _render_layouts(out.with_name(f"{out.name}-layouts"), names, style, size, seed)
    rows = {name: choose(look, values, seed, i) for i, name in enumerate(names)}
    (out / "attributes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    with (out / "attributes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *look.attributes])
        table.writerows([name, *row.values()] for name, row in rows.items())
    (out / "ATTRIBUTION.md").write_text(attribution(style), encoding="utf-8")
    sheet = sheet_beside(out)
    save_sheet(tiles, sheet)
    say(
        f"{count} {style} avatars of {size} px in {out}, with attributes.csv and "
        f"ATTRIBUTION.md (the licence); see {sheet}."
    )


def _render_layouts(out: Path, names: Sequence[str], style: str, size: int, seed: int) -> None:
    """Write the layouts of avatars by the same names; raises DataError if the folder is in use."""
    from contextlib import closing

    import numpy as np
    from PIL import Image, ImageColor

    from ganzoo_avatars.codes import LAYOUTS, palette
    from ganzoo_avatars.drawing import draw

    if out.exists():
        raise DataError(f"--layouts: {out} is there already. Remove it, or choose another --out.")
    colours = [ImageColor.getrgb(colour) for colour in (palette(style) or {}).values()]
    out.mkdir()
    with closing(draw(LAYOUTS, style, len(names), size, seed)) as drawings:
        for name, numbers in zip(names, drawings, strict=True):
            Image.fromarray(np.array(colours, np.uint8)[numbers[0]]).save(out / name)
