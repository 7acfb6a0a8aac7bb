"""``ganzoo train`` and ``ganzoo resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe.")
]


def add_to(app: typer.Typer) -> None:
    """Add this group's verbs."""
    app.command()(train)
    app.command()(resume)


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or path.")],
    overrides: Overrides = [],  # noqa: B006  (typer reads it as the default)
    out: Annotated[Path | None, typer.Option(help="The run folder; default runs/RECIPE.")] = None,
) -> None:
    """Train a recipe into a new run folder."""
    from ganzoo.folder import free_folder
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    plugins = installed()
    loaded = load_recipe(recipe, overrides, plugins.registry)
    from ganzoo.train import start  # imports torch: a wrong recipe is told sooner

    run = start(loaded, out or free_folder(loaded.name), plugins)
    _finish(run)


def resume(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Go on with a stopped run, exactly as if it had never stopped."""
    from ganzoo.plugins import installed
    from ganzoo.train import resume as go_on

    _finish(go_on(run, overrides, installed()))


def _finish(run: object) -> None:
    from ganzoo.report import write_report
    from ganzoo.run import Run

    assert isinstance(run, Run)
    if run.accelerator.is_main_process:
        path = write_report(run.folder)
        typer.echo(f"grids:  {run.folder.samples}\nmodel:  {run.folder.model}\nreport: {path}")
        typer.echo(f"draw more with: ganzoo sample {run.path} -n 64 --seed 1 --out grid.png")
