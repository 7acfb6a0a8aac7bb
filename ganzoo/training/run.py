"""A run in progress: what it is made of, and how far it is.

``loop.py`` trains it, ``saving.py`` saves and restores it, ``drawing.py`` draws its samples.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import reason
from ganzoo.evaluation.environment import environment
from ganzoo.interfaces import Dataset, Generator
from ganzoo.plugins.manager import Plugins
from ganzoo.progress import Pace
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training.build import assemble, joined
from ganzoo.training.diagnosis import Finding
from ganzoo.training.interrupts import Interrupts
from ganzoo.training.manifest import Manifest
from ganzoo.training.objective import Evaluated
from ganzoo.training.observers import notify, observing, trackers
from ganzoo.training.precision import Precision
from ganzoo.training.processes import Processes
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scoring import Scoring


class Run:
    """One training run in progress; observers may read it and must not change it."""

    def __init__(self, recipe: Recipe, folder: RunFolder, plugins: Plugins):
        self.recipe, self.folder, self.plugins = recipe, folder, plugins
        self.observers = observing(plugins, trackers(recipe.log.trackers))
        self.parts = assemble(recipe, plugins.registry, folder)
        self.processes = Processes(self.parts.accelerator)
        self.scoring: Scoring | None = None
        if spec := recipe.evaluate:
            with self.parts.accelerator.main_process_first():
                self.scoring = Scoring(spec, plugins.registry, self.device, self.generator)
        self.interrupts = Interrupts(self, self.processes.count == 1)

        self.step = 0
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        #: the latest value of everything logged; a lazy term is missing in most steps
        self.latest: dict[str, Tensor | float] = {}
        #: the rows of metrics.jsonl, and what they show
        self.rows: list[dict[str, Any]] = []
        self.findings: list[Finding] = []
        #: losses not yet checked for being finite: step, player, losses
        self.unseen: list[tuple[int, str, Evaluated]] = []
        #: whether losses are checked after each update, which would make an accelerator wait
        self.looks_at_once = self.device.type == "cpu"
        self.init_sha256 = self.parts.init_sha256
        #: the steps of the last checkpoint and grid of this process
        self.saved_at = self.drawn_at = -1
        #: a checkpoint's optimisers, until their stage goes on: tensors, and the rest
        self.pending: tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None = None
        #: how long a step of this stage takes
        self.pace = Pace()
        #: the activity between steps, for people; empty in a step
        self.doing = ""
        #: seconds of training in earlier parts of a resumed run, and when this part began
        self.earlier, self.clock = 0.0, time.monotonic()

    @property
    def dataset(self) -> Dataset:
        """Where the examples come from."""
        return self.parts.dataset

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = self.parts.accelerator.device
        return device

    @property
    def precision(self) -> Precision:
        """The number format of the networks."""
        return self.parts.precision

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def steps(self) -> int:
        """The number of steps in all stages."""
        return sum(stage.steps for stage in self.recipe.stages)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all resumed parts."""
        return self.earlier + time.monotonic() - self.clock

    @property
    def batches(self) -> int:
        """Batches seen so far."""
        batches, remainder = 0, self.step
        for stage in self.recipe.stages:
            steps = min(remainder, stage.steps)
            batches += steps * stage.batches
            remainder -= steps
        return batches

    @property
    def images(self) -> int:
        """Examples seen so far."""
        return self.batches * self.recipe.batch

    @property
    def generator(self) -> Generator:
        """The generator that draws samples, with what makes its words: EMAs if there are some."""
        return joined(self.recipe, {role: self.finished(role) for role in self.recipe.averaged})

    def finished(self, role: str) -> nn.Module:
        """The network of ``role`` as a model has it: its EMA if there is one."""
        average = self.parts.averages.get(role)
        return average.network if average else self.parts.networks[role].bare

    def calibrate(self) -> None:
        """Estimate the running statistics of averages; the same weights get the same ones."""
        self.parts.calibration(self.parts.averages, self.parts.views, self.device)

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of this step; empty if it was not measured."""
        return self.scoring.at(self.step) if self.scoring else {}

    def manifest(self) -> Manifest:
        """Record what is known before the first step: seed, recipe hash and every plugin."""
        return Manifest(
            recipe=self.recipe.name,
            recipe_sha256=self.recipe.hash,
            seed=self.recipe.seed,
            plugins={p.origin.plugin: str(p.origin) for p in self.plugins.plugins if not p.error},
        )

    def create(self) -> None:
        """Create the run folder.  Raises RunError, on all processes, if it cannot."""
        text, manifest = self.recipe.to_yaml(), self.manifest()
        self.processes.on_main(lambda: self.folder.create(text, manifest))

    def notify(self, event: str, **arguments: Any) -> None:
        """Notify observers and trackers, on the main process."""
        if self.processes.is_main:
            notify(self.observers, event, run=self, **arguments)

    @contextmanager
    def shown_as(self, what: str) -> Iterator[None]:
        """Show ``what`` as the run's activity while the block runs."""
        before, self.doing = self.doing, what
        try:
            yield
        finally:
            self.doing = before

    @contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Do not count the block as training time."""
        began = time.monotonic()
        yield
        self.clock += time.monotonic() - began

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Tell observers, trackers and the manifest when the run begins and how it ends."""
        self.clock = time.monotonic()
        self.processes.on_main(self._note_start)
        error: BaseException | None = None
        try:
            self.notify("run_started")
            self.clock = time.monotonic()  # opening a tracker is not training
            yield
        except BaseException as stop:
            error = stop
            raise
        finally:
            if self.processes.is_main:
                with suppress(OSError):  # a full disk was reported already
                    self.folder.note(
                        status="finished" if error is None else "stopped",
                        step=self.step,
                        seconds=round(self.seconds, 1),
                        images=self.images,
                        reason=reason(error) if error else None,
                    )
            self.notify("run_ended", error=error)
            self.parts.accelerator.end_training()

    def _note_start(self) -> None:
        with self.folder.writing("manifest.json", self.step):
            self.folder.note(
                self.manifest(),
                status="running",
                reason=None,
                images=self.images,
                recipe_sha256=self.recipe.hash,
                processes=self.processes.count,
                precision=self.precision.as_dict(),
                dataset_sha256=self.dataset.fingerprint(),
                extractors_sha256=self.parts.extractor_hashes,
                environment=environment(),
                evaluation=self.scoring.evaluation() if self.scoring else None,
            )
