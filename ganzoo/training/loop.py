"""The training loop: stages of steps, with pictures, checkpoints and scores between them.

``step.py`` takes a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ganzoo.errors import DataError, GanzooError, Interrupted, RunError, TrainingStopped
from ganzoo.plugins.manager import Plugins
from ganzoo.progress import Pace, status
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Recipe, Stage
from ganzoo.text import say
from ganzoo.training import build
from ganzoo.training.devices import deterministic
from ganzoo.training.drawing import draw
from ganzoo.training.feed import feed
from ganzoo.training.interrupts import MEASURING
from ganzoo.training.journal import write
from ganzoo.training.resuming import refuse_changes, where_it_moved
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder, to_train_longer
from ganzoo.training.saving import (
    keep_best,
    restore,
    restore_optimizers,
    save,
    write_recipe,
)
from ganzoo.training.step import take_step


def start(recipe: Recipe, out: Path, plugins: Plugins) -> Run:
    """Train ``recipe`` into the new run folder ``out``."""
    folder = RunFolder(out)
    folder.refuse_taken()  # on all processes, before any builds the run
    with status("preparing the run"):  # fail before the folder exists
        run = Run(recipe, folder, plugins)
    run.create()
    with run.processes.locked(run.path):
        _say(run, *(f"warning: {line}" for line in run.parts.warnings))
        train(run)
    return run


def resume(path: Path, overrides: Sequence[str], plugins: Plugins) -> Run:
    """Resume a run, exactly as if it had never been stopped.

    Raises CheckpointError if the recipe is not the one of the checkpoint.  Only a longer last
    stage, the intervals of logs, drawings and saves, and the places of images and weights with the
    same hash may change.
    """
    folder = RunFolder.open(path)
    recipe = load_recipe(str(folder.recipe), overrides, plugins.registry)
    before = folder.saved_state().get("recipe")
    if before is not None:
        refuse_changes(before, recipe, folder, overrides)
    try:
        with status("preparing the run"):
            run = Run(recipe, folder, plugins)
    except (DataError, RunError) as error:
        raise type(error)(*error.args, *where_it_moved(recipe, path, before is None)) from error
    with run.processes.locked(path):
        for name, version in (before or {}).get("plugins", {}).items():
            if (now := recipe.plugins.get(name, version)) != version:
                _say(run, f"warning: {name} is {now}, and was {version} when this began")
        warnings = [*run.parts.warnings, *restore(run, overrides)]
        _say(run, *(f"warning: {line}" for line in warnings))
        if overrides:
            write_recipe(run)
        if run.step == run.steps:
            _say(run, to_train_longer(path, [stage.steps for stage in recipe.stages]))
        train(run)
    return run


def _say(run: Run, *lines: str) -> None:
    for line in lines:
        if run.processes.is_main:
            say(line)


def train(run: Run) -> None:
    """Train from ``run.step`` to the end, saving on the way.

    Raises TrainingStopped on a non-finite value, a full disk or a signal; saved state is kept.
    """
    signals = run.interrupts.listening(speak=run.processes.is_main)
    with run.observed(), signals, deterministic(run.device):
        if run.step == 0:
            draw(run)
        elif _is_due(run):  # it was killed while measuring
            evaluate(run)
        first = 0
        for stage in run.recipe.stages:
            if run.step < first + stage.steps:
                train_stage(run, stage, first)
            first += stage.steps
        draw(run)
        save(run)
        evaluate(run)


def _is_due(run: Run) -> bool:
    """Whether the recipe asks for a measurement at this step."""
    return run.recipe.evaluate is not None and run.step % run.recipe.evaluate.every == 0


def train_stage(run: Run, stage: Stage, first: int) -> None:
    """Train from ``run.step`` to the end of a stage that begins at step ``first``."""
    if run.step == first:
        run.latest = {}
    optimizers = build.optimizers(stage, run.parts.learning)
    run.optimizers = {player: optimizer for player, (optimizer, _) in optimizers.items()}
    rates = {player: rate for player, (_, rate) in optimizers.items()}
    restore_optimizers(run)
    run.pace = Pace()
    with closing(feed(run)) as batches:
        while run.step < first + stage.steps:
            take_step(run, stage, run.step - first, rates, batches)
            if run.step % run.recipe.samples.every == 0:
                draw(run)
            if run.step % run.recipe.checkpoint.every == 0:
                save(run)
            if _is_due(run):
                evaluate(run)
            obey_signal(run)


def evaluate(run: Run) -> None:
    """Save, measure the generator, and keep this step's checkpoint and model if it is best.

    The training is not affected, and its clock stops meanwhile.  Raises TrainingStopped if the
    images cannot be measured or the disk is full.
    """
    scoring = run.scoring
    if scoring is None or run.scores:
        return
    save(run)  # first, so that the measured step can be restored
    try:
        with run.shown_as(MEASURING), run.clock_stopped():
            scores = scoring.measure(run.generator, run.step, run.folder.evaluating)
    except GanzooError as error:
        raise TrainingStopped(
            f"step {run.step} cannot be measured: {error}",
            f"{run.folder.last_checkpoint()} To try again: ganzoo resume {run.path}; to "
            f"train on without scores: ganzoo resume {run.path} --set evaluate=null",
        ) from error
    row = {"step": run.step, "seconds": round(run.seconds, 3), **scoring.row(run.step)}
    run.processes.on_main(lambda: write(run, row))
    run.processes.on_main(lambda: keep_best(run))
    run.notify("evaluated", step=run.step, scores=scores)


def obey_signal(run: Run) -> None:
    """Save and raise Interrupted if this or another process was asked to stop."""
    if number := run.processes.anywhere(run.interrupts.number):
        save(run)
        raise Interrupted(run.interrupts.when_saved(number))
