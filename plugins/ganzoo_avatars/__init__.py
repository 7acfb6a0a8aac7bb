"""Avatars: cartoon people, drawn offline in the styles of DiceBear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    register("avatars", "ganzoo_avatars.avatars:Avatars")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Whether avatars have the attributes that they should have."""
    register("attribute-accuracy", "ganzoo_avatars.attribute_accuracy:AttributeAccuracy")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from ganzoo_avatars.command import render
    from ganzoo_folders.commands import add_to_data

    add_to_data(cli, render)
