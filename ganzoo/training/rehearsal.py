"""``ganzoo train --dry-run``: all checks, a picture of the first batch, and some real steps.

Their speed gives an estimate for the whole training.  No run folder is left behind.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ganzoo.errors import RunError
from ganzoo.hookspecs import hookimpl
from ganzoo.models import samples
from ganzoo.plugins.manager import Plugins
from ganzoo.recipe.recipe_types import Checkpoint, Log, Recipe, Stage
from ganzoo.training.devices import deterministic
from ganzoo.training.feed import feed
from ganzoo.training.loop import train_stage
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder

#: timed steps in each stage, after a first one
STEPS = 3
_NEVER = 10**9
_SHOWN = 64


@dataclass(frozen=True)
class Rehearsal:
    """The result; ``stages`` are names, steps and seconds per step."""

    examples: int
    parameters: dict[str, int]
    precision: str
    device: str
    stages: tuple[tuple[str, int, float], ...]
    #: peak bytes of the process or, on an accelerator, of its tensors; 0 if unknown
    memory: int

    @property
    def seconds(self) -> float:
        """The estimate for all steps, without pictures, checkpoints and scores."""
        return sum(steps * seconds for _, steps, seconds in self.stages)


def rehearse(recipe: Recipe, plugins: Plugins, picture: Path) -> Rehearsal:
    """Take a few steps of every stage of ``recipe``; write the first batch as ``picture``.

    Observers and trackers are not notified, and no benchmark is measured.  Raises all that training
    would raise, and RunError if the picture cannot be written.
    """
    quiet = replace(
        recipe,
        log=Log(_NEVER, ()),
        samples=replace(recipe.samples, every=_NEVER),
        checkpoint=Checkpoint(_NEVER, 1),
        evaluate=None,
    )
    with tempfile.TemporaryDirectory(prefix="ganzoo-dry-run-") as folder:
        run = Run(quiet, RunFolder(Path(folder) / "run"), plugins)
        run.create()
        run.observers, clock = Plugins(), _Clock()
        run.observers.manager.register(clock, "clock")
        with deterministic(run.device):
            _draw(run, picture)
            stages, first = [], 0
            for stage in recipe.stages:
                stages.append((stage.name, stage.steps, _seconds(run, stage, first, clock)))
                first += stage.steps
        return Rehearsal(
            examples=len(run.dataset),
            parameters={
                name: sum(parameter.numel() for parameter in network.bare.parameters())
                for name, network in run.parts.networks.items()
            },
            precision=str(run.precision),
            device=run.device.type,
            stages=tuple(stages),
            memory=_memory(run.device),
        )


class _Clock:
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @hookimpl
    def step_ended(self, step: int) -> None:
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        self.times.append(time.monotonic())


def _seconds(run: Run, stage: Stage, first: int, clock: _Clock) -> float:
    """Return the seconds of a step; terms that only some steps have count by their share."""
    run.step = first
    train_stage(run, replace(stage, steps=1 + STEPS), first)
    usual = _mean(clock.times[-1 - STEPS :])
    every = [term.every for terms in stage.terms.values() for term in terms if term.every > 1]
    if not every:
        return usual
    at = math.lcm(*every)  # a step with all of them
    run.step = first + at - 1
    train_stage(run, replace(stage, steps=at + 1), first)
    full = _mean(clock.times[-2:])
    return usual + max(full - usual, 0.0) * sum(1 / n for n in every) / len(every)


def _mean(times: Sequence[float]) -> float:
    return (times[-1] - times[0]) / (len(times) - 1)


def _draw(run: Run, picture: Path) -> None:
    with closing(feed(run)) as batches:
        parts = next(batches)
    words = {name: torch.cat([part[name] for part in parts])[:_SHOWN].cpu() for name in parts[0]}
    images = [
        words[name]
        for name, what in run.parts.vocabulary.items()
        if what == "image" and name in words
    ]
    alike = [samples.to_uint8(one) for one in images if one.shape == images[0].shape]
    tiles = torch.stack(alike, dim=1).flatten(0, 1)  # the images of an example side by side
    columns = len(alike) * max(1, round((len(tiles) / len(alike) ** 2) ** 0.5))
    try:
        samples.grid(tiles, columns).save(picture)
    except (OSError, ValueError) as error:
        raise RunError(f"the first batch cannot be written to {picture}: {error}") from error


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved())
    try:
        import resource
    except ImportError:  # on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
