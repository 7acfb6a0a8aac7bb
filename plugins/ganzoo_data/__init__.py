"""Training images: embedded avatars, any folder, and the cache both go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Avatars drawn on the spot, and folders of images."""
    register("avatars", "ganzoo_data.avatars:Avatars")
    register("folder", "ganzoo_data.folder:Folder")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    """``ganzoo data``: draw avatars to files, look at a folder of images."""
    from ganzoo_data.commands import data

    cli.add_typer(data, name="data")
