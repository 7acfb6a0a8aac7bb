"""Training images: drawn on the spot, from a folder, from two; and the cache they go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Avatars and their twins in clay, made on the spot, and folders of images."""
    register("avatars", "ganzoo_data.avatars:Avatars")
    register("figurines", "ganzoo_data.figurines:Figurines")
    register("folder", "ganzoo_data.folder:Folder")
    register("unpaired", "ganzoo_data.unpaired:Unpaired")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    """``ganzoo data``: draw avatars, cut out faces, smooth edges, look at folders of images."""
    from ganzoo_data.commands import data

    cli.add_typer(data, name="data", rich_help_panel="Train")
