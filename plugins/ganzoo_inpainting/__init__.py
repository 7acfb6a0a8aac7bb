"""Semantic inpainting: the hole of a picture filled, and a picture's latent found, by search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from ganzoo_inpainting.command import inpaint, project

    cli.command(rich_help_panel="Use a model")(inpaint)
    cli.command(rich_help_panel="Use a model")(project)
