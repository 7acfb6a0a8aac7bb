"""``ganzoo model``: make model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.training import set_option
from ganzoo.text import say

model_app = typer.Typer(help="Make model folders.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register this group's verbs."""
    app.add_typer(model_app, name="model", rich_help_panel="Use a model")


@model_app.callback()
def _model() -> None:
    """Make model folders."""


@model_app.command()
def new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A generator without weights, from `ganzoo list generators`.",
            autocompletion=completion.generators,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The new model folder.")],
    overrides: Annotated[list[str], set_option("generator, as sigma=2")],
) -> None:
    """Make a model folder of a generator that needs no training, such as xdog."""
    from ganzoo.models.folder import refuse_taken
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.single import component

    registry = installed().registry
    spec = component("generator", name, overrides, registry)
    refuse_taken(out)
    from ganzoo.models.model import load  # imports torch, so cheap mistakes come first
    from ganzoo.models.network import reads
    from ganzoo.models.writing import new as make

    make(spec.use, spec.arguments, out, registry)
    say(f"{name} in {out}")
    if len(reads(load(out, registry).generator).required) == 1:
        say(f"next: ganzoo translate {out} PHOTO... --out drawn")
    else:
        say(f"next: ganzoo evaluate {out}")
