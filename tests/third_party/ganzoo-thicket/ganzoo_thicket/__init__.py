"""Thickets: one component of every kind, a diary of every run, and a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo import hookimpl
from ganzoo_thicket import diary

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register
    from ganzoo.training.run import Run

ganzoo_hooks = 1


@hookimpl
def register_generators(register: Register) -> None:
    """Add the generator."""
    register("sprout", "ganzoo_thicket.networks:Sprout")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the discriminator."""
    register("forester", "ganzoo_thicket.networks:Forester")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the loss."""
    register("canopy", "ganzoo_thicket.canopy:Canopy")


@hookimpl
def register_datasets(register: Register) -> None:
    """Add the dataset."""
    register("thicket", "ganzoo_thicket.dataset:Thicket")


@hookimpl
def register_extractors(register: Register) -> None:
    """Add the extractor."""
    register("bark", "ganzoo_thicket.bark:Bark")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Add the score."""
    register("kinship", "ganzoo_thicket.kinship:Kinship")


@hookimpl
def register_transforms(register: Register) -> None:
    """Add the transform."""
    register("rustle", "ganzoo_thicket.rustle:Rustle")


@hookimpl
def register_detectors(register: Register) -> None:
    """Add the detector."""
    register("leaf", "ganzoo_thicket.leaf:Leaf")


@hookimpl
def register_importers(register: Register) -> None:
    """Add the importer."""
    register("herbarium", "ganzoo_thicket.herbarium:Herbarium")


@hookimpl
def register_recipes(register: Register) -> None:
    """Add the recipe."""
    register("thicket", Path(__file__).parent / "recipes" / "thicket.yaml")


@hookimpl
def register_benchmarks(register: Register) -> None:
    """Add the benchmark."""
    register("thicket-8", Path(__file__).parent / "benchmarks" / "thicket-8.yaml")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    """Add the command."""
    from ganzoo_thicket.command import rings

    cli.command()(rings)


@hookimpl
def run_started(run: Run) -> None:
    """Note where a training begins or goes on."""
    diary.note(run.path, "run_started", run.step, run.recipe.name)


@hookimpl
def step_ended(run: Run, step: int, logs: Mapping[str, float]) -> None:
    """Note a step, and how many values were logged."""
    diary.note(run.path, "step_ended", step, len(logs))


@hookimpl
def samples_drawn(run: Run, step: int, path: Path) -> None:
    """Note a grid of samples."""
    diary.note(run.path, "samples_drawn", step, path.name)


@hookimpl
def evaluated(run: Run, step: int, scores: Mapping[str, float]) -> None:
    """Note which scores there are."""
    diary.note(run.path, "evaluated", step, " ".join(sorted(scores)))


@hookimpl
def checkpoint_saved(run: Run, step: int, path: Path) -> None:
    """Note a checkpoint."""
    diary.note(run.path, "checkpoint_saved", step, path.name)


@hookimpl
def run_ended(run: Run, error: BaseException | None) -> None:
    """Note how a training ended."""
    diary.note(run.path, "run_ended", run.step, type(error).__name__ if error else "well")
