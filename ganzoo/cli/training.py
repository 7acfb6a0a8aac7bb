"""``ganzoo train`` and ``ganzoo resume``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from ganzoo.training.run import Run

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A path, or a name from `ganzoo list recipes`.",
        autocompletion=completion.recipes,
    ),
]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs)
]


def set_option(what: str) -> Any:
    """Build ``--set KEY=VALUE``; ``what`` it overrides, with an example."""
    return typer.Option(
        "--set",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
        help=f"Override a value of the {what}; repeatable.",
    )


Overrides = Annotated[list[str], set_option("recipe, as batch=16 or stages.0.steps=500")]


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Train")(train)
    app.command(rich_help_panel="Train")(resume)


def train(
    recipe: RecipeName,
    overrides: Overrides,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The run folder; default runs/RECIPE.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check everything, draw the first batch, estimate time and memory; train nothing.",
        ),
    ] = False,
) -> None:
    """Train a recipe into a new run folder."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.inputs import check_folders
    from ganzoo.recipe.recipe import load_recipe
    from ganzoo.training.run_folder import RunFolder, free_folder

    plugins = installed()
    spec = load_recipe(recipe, overrides, plugins.registry)
    folder = out or free_folder(spec.name)
    RunFolder(folder).refuse_taken()
    check_folders(spec.dataset, plugins.registry, f"ganzoo train {recipe}")
    from ganzoo.hub.locate import with_pinned_weights  # imports torch, so cheap mistakes come first
    from ganzoo.training.loop import start

    spec = with_pinned_weights(spec, plugins.registry)
    if dry_run:
        from ganzoo.progress import duration
        from ganzoo.training.rehearsal import rehearse

        picture = Path(f"{spec.name}-batch.png")
        rehearsal = rehearse(spec, plugins, picture)
        sizes = ", ".join(f"{role} {n:,}" for role, n in rehearsal.parameters.items())
        memory = f", {rehearsal.memory / 1e9:.1f} GB of memory" if rehearsal.memory else ""
        say(
            f"{spec.name} is valid and its data can be read: {rehearsal.examples:,} examples",
            f"first batch: {picture}",
            f"parameters:  {sizes}",
            f"computes in: {rehearsal.precision} on {rehearsal.device}",
        )
        for stage, steps, seconds in rehearsal.stages:
            say(f"stage {stage}: {steps:,} steps of {duration(seconds)}")
        time = duration(rehearsal.seconds)
        say(f"estimate:    {time}{memory}, without pictures and checkpoints")
        return
    _finish(lambda: start(spec, folder, plugins), folder)


def resume(
    run: RunPath,
    overrides: Overrides,
) -> None:
    """Resume a stopped run, exactly as if it had never stopped."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.recipe import load_recipe
    from ganzoo.training.run_folder import RunFolder, to_train_longer

    folder, plugins = RunFolder.open(run), installed()
    before, now = (load_recipe(folder.recipe, o, plugins.registry) for o in ((), overrides))
    stages = [stage.steps for stage in now.stages]
    if folder.is_complete(now.hash, sum(stages)) and now.evaluate == before.evaluate:
        say(to_train_longer(run, stages))
        return
    from ganzoo.training.loop import resume as go_on  # imports torch

    _finish(lambda: go_on(run, overrides, plugins), run)


def _finish(train: Callable[[], Run], path: Path) -> None:
    """Train, and write the report however training ends."""
    from ganzoo.training.report import reporting

    run, problem = reporting(train, path)
    if run.processes.is_main:
        folder = run.folder
        say(f"grids:  {folder.samples}", f"model:  {folder.model}")
        if not problem:
            say(f"report: {folder.report}")
        if run.scoring and run.folder.best.exists():
            say(f"best:   {run.folder.best} (step {run.scoring.best})")
        if run.parts.image_inputs:
            say(f"use it with: ganzoo translate {run.path} PHOTO --out drawn")
        else:
            say(f"draw more with: ganzoo sample {run.path} -n 64 --seed 1 --out grid.png")
    if problem:
        say(f"warning: {problem}", err=True)
