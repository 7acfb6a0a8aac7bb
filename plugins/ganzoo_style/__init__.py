"""Neural style: a photo drawn again in the style of other pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add the method as a translator without weights, for benchmarks."""
    register("gatys", "ganzoo_style.translator:Gatys")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from ganzoo_style.command import stylize

    cli.command(rich_help_panel="Use a model")(stylize)
