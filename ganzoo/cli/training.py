"""``ganzoo train`` and ``ganzoo resume``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.errors import Interrupted, TrainingStopped
from ganzoo.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ganzoo.recipe.recipe_types import Recipe
    from ganzoo.training.run import Run
    from ganzoo.training.series import Member

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
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Train with each of these seeds, one after the other, into FOLDER-seedN; again, "
            "it goes on where it was stopped.",
        ),
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
    from ganzoo.training.series import Member, members, read_seeds

    plugins = installed()
    if seeds is None:
        spec = load_recipe(recipe, overrides, plugins.registry)
        runs = [Member(spec, out or free_folder(spec.name))]
        RunFolder(runs[0].path).refuse_taken()
    else:
        numbers = read_seeds(seeds, overrides)
        runs = list(members(recipe, overrides, numbers, out, plugins.registry))
    check_folders(runs[0].recipe.dataset, plugins.registry, f"ganzoo train {recipe}")
    if dry_run:
        _rehearse(runs[0].recipe, len(runs))
    elif seeds is None:
        _train(runs[0])
    else:
        options = [word for text in overrides for word in ("--set", text)]
        options += ["--out", str(out)] if out else []
        _train_series(runs, lambda text: ["ganzoo", "train", recipe, "--seeds", text, *options])


def _train(member: Member) -> None:
    """Train a new run, or go on with one that was begun."""
    from ganzoo.hub.locate import with_pinned_weights  # imports torch, so cheap mistakes come first
    from ganzoo.plugins.manager import installed
    from ganzoo.training.loop import resume, start

    plugins = installed()
    if member.is_begun:
        _finish(lambda: resume(member.path, member.changes, plugins), member.path)
    else:
        spec = with_pinned_weights(member.recipe, plugins.registry)
        _finish(lambda: start(spec, member.path, plugins), member.path)


def _train_series(runs: Sequence[Member], command: Callable[[str], list[str]]) -> None:
    """Train each seed, except those that are finished; ``command`` trains those it is given."""

    def with_seeds(chosen: Sequence[Member]) -> str:
        return shlex.join(command(",".join(str(run.recipe.seed) for run in chosen)))

    is_main = os.environ.get("RANK", "0") == "0"  # of torchrun
    for number, run in enumerate(runs, 1):
        if is_main:
            done = f": {run.path} is finished already" if run.is_finished else f" in {run.path}"
            say(f"seed {run.recipe.seed} ({number} of {len(runs)}){done}")
        if run.is_finished:
            continue
        try:
            _train(run)
        except TrainingStopped as stopped:
            stopped.add_note(f"The whole series goes on with: {with_seeds(runs)}")
            if not isinstance(stopped, Interrupted) and len(runs) > 1:
                others = [other for other in runs if other is not run]
                stopped.add_note(f"Without this seed: {with_seeds(others)}")
            raise
    if is_main and len(runs) > 1:
        folders = shlex.join(str(run.path) for run in runs)
        say(f"measure them: ganzoo evaluate {folders}", f"compare them: ganzoo compare {folders}")


def _rehearse(recipe: Recipe, count: int) -> None:
    """Check the recipe and estimate what training it ``count`` times takes."""
    from ganzoo.hub.locate import with_pinned_weights
    from ganzoo.plugins.manager import installed
    from ganzoo.progress import duration
    from ganzoo.training.rehearsal import rehearse

    picture, plugins = Path(f"{recipe.name}-batch.png"), installed()
    rehearsal = rehearse(with_pinned_weights(recipe, plugins.registry), plugins, picture)
    sizes = ", ".join(f"{role} {n:,}" for role, n in rehearsal.parameters.items())
    memory = f", {rehearsal.memory / 1e9:.1f} GB of memory" if rehearsal.memory else ""
    say(
        f"{recipe.name} is valid and its data can be read: {rehearsal.examples:,} examples",
        f"first batch: {picture}",
        f"parameters:  {sizes}",
        f"computes in: {rehearsal.precision} on {rehearsal.device}",
    )
    for stage, steps, seconds in rehearsal.stages:
        say(f"stage {stage}: {steps:,} steps of {duration(seconds)}")
    each = f" for each of {count} seeds" if count > 1 else ""
    time = duration(rehearsal.seconds)
    say(f"estimate:    {time}{each}{memory}, without pictures and checkpoints")


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
