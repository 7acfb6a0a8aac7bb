"""What the commands of ``ganzoo data`` share: the group itself, warnings, contact sheets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ganzoo.errors import DataError
from ganzoo.files import expand
from ganzoo.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

#: The most names that a command prints of one sort.
SHOWN = 10
#: The most images on a contact sheet.
TILES = 64


def add_to_data(cli: typer.Typer, *commands: Callable[..., None]) -> None:
    """Add ``commands`` to the group ``ganzoo data``."""
    data = typer.Typer(help="Inspect, draw, crop and smooth images.", no_args_is_help=True)
    for command in commands:
        data.command()(command)
    cli.add_typer(data, name="data", rich_help_panel="Train")


def warn(text: str) -> None:
    """Print a line with a yellow exclamation mark before it."""
    say("! ", colour="yellow", nl=False)
    say(text)


def check_sheet(sheet: Path, *folders: Path | None) -> None:
    """Raise DataError unless ``sheet`` is a PNG outside of all ``folders``.

    Inside, it would be taken for one of the images next time.
    """
    from ganzoo.scan import sheet_beside

    if sheet.suffix.lower() != ".png":
        raise DataError(f"--sheet {sheet}: a contact sheet is a PNG; end the name in .png.")
    for folder in folders:
        if folder and sheet.resolve().is_relative_to(expand(folder).resolve()):
            raise DataError(
                f"--sheet {sheet} lies among the images of {folder}, and would be one of them next "
                f"time. Write it elsewhere, as {sheet_beside(folder)}."
            )


def save_sheet(images: list[Image.Image], sheet: Path, columns: int | None = None) -> None:
    """Write a contact sheet of ``images``, all of one size; raises DataError if it cannot."""
    from ganzoo_folders.sheet import contact_sheet

    try:
        contact_sheet(images, columns).save(sheet)
    except OSError as error:
        raise DataError(f"--sheet {sheet} cannot be written: {error.strerror}.") from error
