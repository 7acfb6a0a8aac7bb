"""Images from folders, and the image cache that every source of images shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Images from one folder, photos and cartoons from two, and pairs of them."""
    register("folder", "ganzoo_folders.folder:Folder")
    register("unpaired", "ganzoo_folders.unpaired:Unpaired")
    register("paired", "ganzoo_folders.paired:Paired")


@hookimpl
def register_transforms(register: Register) -> None:
    """What other cameras would make of a photo."""
    register("camera", "ganzoo_folders.camera:Camera")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    """``ganzoo data check`` and ``ganzoo data edges``."""
    from ganzoo_folders.check_command import check
    from ganzoo_folders.commands import add_to_data
    from ganzoo_folders.edges_command import edges

    add_to_data(cli, check, edges)
