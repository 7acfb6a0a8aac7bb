"""A run in progress: training, saving, drawing and reporting.

The loop is in ``training.py``.
"""

from __future__ import annotations

import errno
import shlex
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout
from torch import Tensor, nn

from ganzoo.errors import (
    CheckpointError,
    GanzooError,
    Interrupted,
    RunError,
    TrainingStopped,
    reason,
)
from ganzoo.evaluation.environment import environment
from ganzoo.evaluation.examples import collate, fields
from ganzoo.files import write_atomic
from ganzoo.interfaces import Generator
from ganzoo.models import config, model, samples
from ganzoo.models.network import Network
from ganzoo.models.precision import native_bf16
from ganzoo.models.randomness import rng
from ganzoo.models.weights import weights_hash
from ganzoo.plugins.manager import Plugins
from ganzoo.progress import Pace
from ganzoo.recipe.recipe import without_paths
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.recipe.vocabulary import vocabulary
from ganzoo.training import build, checkpoint, diagnosis
from ganzoo.training import manifest as manifests
from ganzoo.training.devices import accelerator, computed_on, deterministic, ignored_settings
from ganzoo.training.ema import EMA
from ganzoo.training.interrupts import MEASURING, SAVING, Interrupts
from ganzoo.training.manifest import Manifest
from ganzoo.training.objective import Evaluated
from ganzoo.training.observers import notify, observing, trackers
from ganzoo.training.precision import Precision, Trial
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scoring import Scoring
from ganzoo.training.words import Update

Words = dict[str, Tensor]
#: updates that an accelerator may be ahead of the check of their losses
_UNSEEN = 1000


class Run:
    """One training run in progress; observers may read it and must not change it."""

    def __init__(self, recipe: Recipe, folder: RunFolder, plugins: Plugins):
        self.recipe, self.folder, self.plugins = recipe, folder, plugins
        registry = plugins.registry
        self.observers = observing(plugins, trackers(recipe.log.trackers))
        is_auto = recipe.precision == "auto"
        self.accelerator = accelerator("fp32" if is_auto else recipe.precision)
        build.check_split(recipe, self.accelerator.num_processes)
        extractors = build.extractors(recipe, registry)
        self.extractor_hashes = {n: weights_hash(net) for n, net in extractors.items()}
        self.dataset = build.dataset(recipe, registry)
        with self.accelerator.main_process_first():
            self.dataset.prepare()
        build.check_count(recipe, self.dataset)
        bare, self.arguments = build.networks(recipe, registry, self.dataset)
        self._init_sha256: str | None = None
        if not checkpoint.steps(folder.checkpoints):  # a checkpoint would replace these weights
            self._init_sha256 = build.initialise(recipe, bare)
        device = self.accelerator.device
        for network in bare.values():
            network.to(device)
        self.ema = EMA(bare["generator"], recipe.ema.decay, recipe.ema.ramp) if recipe.ema else None
        self.views = build.views(recipe, registry)
        self.augment = build.augment(recipe, registry)
        examples = build.check_fit(self.dataset, bare, self.views, device)
        #: warnings to show before the first step
        self.warnings = ignored_settings()
        #: the number format of this run, and why
        self.precision = self._precision(bare)
        if is_auto:
            self.accelerator = accelerator(self.precision.format)
        self.extractors = {
            name: self.accelerator.prepare_model(network, evaluation_mode=True)
            for name, network in extractors.items()
        }
        self.networks = {name: self._prepared(network) for name, network in bare.items()}
        self.words = vocabulary(
            fields(recipe.dataset, registry, self.dataset),
            recipe.views,
            {role: network.kind for role, network in recipe.networks.items()},
            {role: network.reads for role, network in self.networks.items()},
            self.extractors,
        )
        self._fixed = self._fixed_examples() if self.image_inputs else {}
        self.objectives = {
            stage.name: build.objectives(registry, stage, self.words, device)
            for stage in recipe.stages
        }
        for stage in recipe.stages:  # only to fail early
            trial = build.objectives(registry, stage, self.words, device)
            how = (bare, self.views, self.augment, self.extractors)
            build.check_terms(stage.name, trial, examples, *how)
            build.optimizers(stage, self.networks)
        self.scoring = self._scoring()
        self.step = 0
        self._saved_at = self._drawn_at = -1
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        #: the latest value of everything logged; a lazy term is missing in most steps
        self.latest: dict[str, Tensor | float] = {}
        self.findings: list[diagnosis.Finding] = []
        self._rows: list[dict[str, Any]] = []
        self._pending: tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None = None
        #: how long a step of this stage takes
        self.pace = Pace()
        #: the activity between steps, for people; empty in a step
        self.doing = ""
        self._interrupts = Interrupts(self, self.accelerator.num_processes == 1)
        #: whether losses are checked after each update, which would make an accelerator wait
        self.looks_at_once = device.type == "cpu"
        #: values not yet checked for being finite: step, player, losses
        self._unseen: list[tuple[int, str, Evaluated]] = []
        self._clock = time.monotonic()
        self._seconds = 0.0  # of earlier parts of a resumed run

    def _precision(self, bare: Mapping[str, nn.Module]) -> Precision:
        """Return the recipe's precision; for ``auto``, this run's so far, or the fastest."""
        recipe, device = self.recipe, self.accelerator.device
        generator = bare["generator"]

        def example(count: int) -> Words:
            words = collate(self.dataset, [i % len(self.dataset) for i in range(count)])
            if isinstance(generator, Generator) and "latent" in Network(generator).reads:
                words["latent"] = generator.sample_latent(count, rng(0, "trial"))
            return words

        images = recipe.batch // self.accelerator.num_processes // recipe.accumulate
        trial = Trial(bare, self.views, example, images, device)
        chosen = Precision(recipe.precision)
        if recipe.precision == "auto":
            chosen = _recorded_precision(self.folder) or chosen
        if self.accelerator.is_main_process:  # decides for all
            with deterministic(device):
                if chosen.format == "auto":
                    chosen = trial.choose()
                elif chosen.format == "bf16" and device.type == "cpu" and not native_bf16(device):
                    self.warnings.append(self._slow(trial.slowdown()))
        decided: Precision = broadcast_object_list([chosen])[0]
        return decided

    def _slow(self, factor: float) -> str:
        began = checkpoint.steps(self.folder.checkpoints)
        change = ["precision=auto"]
        remedy = new_run(self.folder, change) if began else f"--set {change[0]}"
        return (
            f"this CPU emulates bf16: a step takes about {factor:.0f} times as long as in fp32. "
            f"{'resume keeps the format; a new run from these weights' if began else 'Better'}: "
            f"{remedy}"
        )

    def _prepared(self, network: nn.Module) -> Network:
        if self.precision.channels_last:
            network.to(memory_format=torch.channels_last)
        with warnings.catch_warnings():  # torch before 2.15 has no newer name for broadcast_buffers
            warnings.simplefilter("ignore", FutureWarning)
            module = self.accelerator.prepare_model(network.train())
        return Network(network, module, self.precision.channels_last)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = self.accelerator.device
        return device

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
        return self._seconds + time.monotonic() - self._clock

    @property
    def batches(self) -> int:
        """Batches seen so far: a step takes one for each update of the discriminator."""
        seen, left = 0, self.step
        for stage in self.recipe.stages:
            steps = min(left, stage.steps)
            seen += steps * stage.discriminator_steps
            left -= steps
        return seen

    @property
    def images(self) -> int:
        """Examples seen so far."""
        return self.batches * self.recipe.batch

    @property
    def image_inputs(self) -> list[str]:
        """The image words that the generator reads; none if it draws only from noise."""
        reads = self.networks["generator"].reads
        return [word for word in reads if self.words.get(word) == "image"]

    @property
    def generator(self) -> Generator:
        """The generator that draws samples: the EMA if the recipe has one."""
        network = self.ema.network if self.ema else self.networks["generator"].bare
        assert isinstance(network, Generator)
        return network

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the same run; a killed one holds no lock.

        Raises RunError if another process holds the lock.
        """
        lock = FileLock(self.path / ".lock")

        def acquire() -> None:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"{self.path} is being trained by another process; nothing was changed. "
                    "Wait for it, or stop it."
                ) from None

        self._on_main(acquire)
        try:
            yield
        finally:
            lock.release()

    def create(self) -> None:
        """Create the run folder.  Raises RunError, on all processes, if it cannot."""
        manifest = new_manifest(self.recipe, self.plugins)
        self._on_main(lambda: self.folder.create(self.recipe.to_yaml(), manifest))

    def write_recipe(self) -> None:
        """Replace ``recipe.yaml`` by the recipe that goes on."""

        def write() -> None:
            with self._writing("recipe.yaml"):
                write_atomic(self.folder.recipe, self.recipe.to_yaml())

        self._on_main(write)

    # -- checkpoints ------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint and the model folder.

        Raises TrainingStopped if a weight is not finite or the disk is full.
        """
        if self.step != self._saved_at:
            self.refuse_nonfinite()
            with self._shown_as(SAVING):
                latest = self._averaged(self.latest)
                self._on_main(lambda: self._save(latest))
                self._saved_at = self.step

    def _save(self, latest: Mapping[str, float]) -> None:
        tensors = {name: net.bare.state_dict() for name, net in self.networks.items()}
        if self.ema:
            tensors["ema"] = self.ema.network.state_dict()
        rest = {}
        for player, optimizer in self.optimizers.items():
            name = f"optimizer-{player}"
            tensors[name], rest[player] = checkpoint.flatten_optimizer(optimizer.state_dict())
        for name, values in tensors.items():
            if bad := checkpoint.first_nonfinite(values):
                raise TrainingStopped(
                    f"NON_FINITE at step {self.step}: '{bad}' of {name} is NaN or infinite, and "
                    f"is not saved. {self.folder.last_checkpoint()} {self.with_lower_rate()}"
                )
        scaler = self.accelerator.scaler
        state = {
            "seconds": round(self.seconds, 3),
            "latest": latest,
            "recipe": self.recipe.resolved(),
            "precision": self.precision.as_dict(),
            "computed_on": computed_on(self.accelerator.device),
            "dataset_sha256": self.dataset.fingerprint(),
            "extractors_sha256": self.extractor_hashes,
            "init_sha256": self._init_sha256,
            "optimizers": rest,
            "scaler": scaler.state_dict() if scaler else None,
        }
        with self._writing("the checkpoint"):
            path = checkpoint.save(self.folder.checkpoints, self.step, tensors, state)
        self._finish_save()
        self.notify("checkpoint_saved", step=self.step, path=path)

    def with_lower_rate(self) -> str:
        """Say how to go on after a non-finite value."""
        command = new_run(self.folder, ["optimizer.lr=..."])
        return f"Start a new run with a lower learning rate: {command}"

    def _finish_save(self) -> None:
        """Finish a checkpoint; ``restore`` repeats this for a run that was killed in it."""
        with self._writing("the model"):
            self._save_model(self.folder.model)
        self._keep_best()

    def _keep_best(self) -> None:
        """Keep the model of this step if it is the best, and only the wanted checkpoints."""
        best = self.scoring.best if self.scoring else None
        if best == self.step:
            with self._writing("the best model"):
                self._save_model(self.folder.best)
        keep = self.recipe.checkpoint.keep
        checkpoint.prune(self.folder.checkpoints, self.step, keep, best)

    def _save_model(self, path: Path) -> None:
        parts = {
            name: config.part(
                self.plugins.registry.get(name, spec.use), spec.use, self.arguments[name]
            )
            for name, spec in self.recipe.networks.items()
        }
        training = {
            "recipe": self.recipe.name,
            "steps": self.step,
            "images": self.images,
            "seconds": round(self.seconds, 1),
            "dataset": {
                "use": self.recipe.dataset.use,
                "sha256": self.dataset.fingerprint(),
                "attribution": self.dataset.attribution,
            },
            "environment": environment(),
        }
        recipe = yaml.safe_dump(without_paths(self.recipe.resolved()), sort_keys=False)
        model.save(path, self.generator, parts, training, recipe, self.dataset.licence)

    def restore(self, overrides: Sequence[str] = ()) -> list[str]:
        """Go back to the newest whole checkpoint; return warnings, such as of a damaged one.

        Optimisers follow when their stage begins.  Without a checkpoint the run starts again.
        Raises CheckpointError if all are damaged, or if the images or initial weights have changed;
        ``overrides`` are the changes to the recipe.
        """
        try:
            tensors, state, damaged = checkpoint.newest(self.folder.checkpoints)
        except FileNotFoundError:
            lost = bool(self.folder.rows())
            self._on_main(lambda: self._rewind(0))
            return ["there is no checkpoint, so this run starts again at step 0"] if lost else []
        for what, before, now in self._hashes(state):
            if before != now:
                raise CheckpointError(
                    f"{what} have changed since the checkpoint was written; resume goes on exactly "
                    "and refuses this. Put them back, or start a new run from these weights: "
                    f"{new_run(self.folder, overrides)}"
                )
        self._init_sha256 = state.get("init_sha256")
        if self.scoring:
            self.scoring.recall(self.folder.rows(until=state["step"]))
            self._on_main(lambda: self._restore_best(state["step"]))
        self._load(tensors, state)
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.latest = state["latest"]
        ends = accumulate(stage.steps for stage in self.recipe.stages)
        if self.step not in ends:  # a stage that begins has new optimisers
            self._pending = tensors, state["optimizers"]
        self._saved_at = self.step
        unread = self.folder.read_rows()[1]
        self._on_main(lambda: self._rewind(self.step))
        self._on_main(self._finish_save)
        told = [f"{line}; going on from an earlier checkpoint" for line in damaged]
        told += [unread] if unread else []
        now = computed_on(self.accelerator.device)
        if (before := state.get("computed_on", now)) != now:
            told.append(f"this run began on {before}, and goes on on {now}: equal up to rounding")
        return told

    def _load(self, tensors: Mapping[str, Words], state: Mapping[str, Any]) -> None:
        for name, net in self.networks.items():
            net.bare.load_state_dict(tensors[name])
        if self.ema:
            self.ema.network.load_state_dict(tensors["ema"])
        self.step, self._seconds = state["step"], state["seconds"]

    def _restore_best(self, newest: int) -> None:
        """Restore a deleted ``best/`` if the checkpoint of that step is whole."""
        best = self.scoring.best if self.scoring else None
        path = checkpoint.steps(self.folder.checkpoints).get(best) if best is not None else None
        if path is None or best == newest or (self.folder.best / config.FILE).is_file():
            return
        with suppress(CheckpointError), self._writing("the best model"):
            self._load(*checkpoint.load(path))
            self._save_model(self.folder.best)

    def _hashes(self, state: Mapping[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield what a checkpoint depends on outside of it, with its hash then and now."""
        use = self.recipe.dataset.use
        yield f"the images of dataset '{use}'", state["dataset_sha256"], self.dataset.fingerprint()
        for name, now in self.extractor_hashes.items():
            before = state["extractors_sha256"].get(name)
            yield f"the weights of extractor '{name}'", before, now
        if self.recipe.init_from != state["recipe"]["init_from"]:  # if unchanged, it may be gone
            saved, current = state.get("init_sha256"), build.initial_hash(self.recipe)
            yield f"the weights of init_from, {self.recipe.init_from},", saved, current

    def _rewind(self, step: int) -> None:
        with self._writing("metrics.jsonl"):
            self._rows = self.folder.rewind(step)
        if not self.scoring:  # it was killed in a measurement that is no longer wanted
            shutil.rmtree(self.folder.evaluating, ignore_errors=True)

    def restore_optimizers(self) -> None:
        """Load what ``restore`` read, if it did, into the optimisers of the current stage."""
        if self._pending is None:
            return
        tensors, rest = self._pending
        self._pending = None
        for player, optimizer in self.optimizers.items():
            saved = tensors.get(f"optimizer-{player}", {})
            optimizer.load_state_dict(checkpoint.unflatten_optimizer(saved, rest[player]))
            _lay_out_like_parameters(optimizer)

    # -- scores -----------------------------------------------------------------------------

    def _scoring(self) -> Scoring | None:
        spec, device = self.recipe.evaluate, self.accelerator.device
        if spec is None:
            return None
        with self.accelerator.main_process_first():
            return Scoring(spec, self.plugins.registry, device, self.generator)

    @property
    def scores(self) -> Mapping[str, float]:
        """The scores of this step; empty if it was not measured."""
        return self.scoring.at(self.step) if self.scoring else {}

    def evaluate(self) -> None:
        """Save, measure the generator, and keep this step's checkpoint and model if it is best.

        The training is not affected, and its clock stops meanwhile.  Raises TrainingStopped if the
        images cannot be measured or the disk is full.
        """
        if self.scoring is None or self.scores:
            return
        self.save()  # first, so that the measured step can be restored
        began = time.monotonic()
        try:
            with self._shown_as(MEASURING):
                found = self.scoring.measure(self.generator, self.step, self.folder.evaluating)
        except GanzooError as error:
            raise TrainingStopped(
                f"step {self.step} cannot be measured: {error}",
                f"{self.folder.last_checkpoint()} To try again: ganzoo resume {self.path}; to "
                f"train on without scores: ganzoo resume {self.path} --set evaluate=null",
            ) from error
        self._clock += time.monotonic() - began
        row = {"step": self.step, "seconds": round(self.seconds, 3), **self.scoring.row(self.step)}
        self._on_main(lambda: self._log(row))
        self._on_main(self._keep_best)
        self.notify("evaluated", step=self.step, scores=found)

    # -- values that are not finite ----------------------------------------------------------

    def watch(self, player: str, value: Evaluated) -> None:
        """Check an update's losses: at once on a CPU, many updates together elsewhere.

        Raises as ``refuse_nonfinite`` does.
        """
        self._unseen.append((self.step, player, value.detached()))
        if self.looks_at_once or len(self._unseen) >= _UNSEEN:
            self.refuse_nonfinite()

    def refuse_nonfinite(self) -> None:
        """Check every loss that was not checked yet; nothing is written before that.

        Raises TrainingStopped with the step and the term that was NaN or infinite first.
        """
        unseen, self._unseen = self._unseen, []
        totals = [value.total.float() for _, _, value in unseen]  # all in one transfer
        is_bad = bool(totals) and not bool(torch.stack(totals).isfinite().all())
        if not self.anywhere(is_bad):
            return
        for step, player, value in unseen:
            if bad := value.first_nonfinite():
                self.step = step
                term = f"the {player}'s term '{bad}'"
                break
        else:
            term = "a term on another process"  # that process names it
        raise TrainingStopped(
            f"NON_FINITE at step {self.step}: {term} is NaN or infinite. "
            f"{self.folder.last_checkpoint()} {self.with_lower_rate()}"
        )

    # -- what others see --------------------------------------------------------------------

    def draw(self) -> None:
        """Write a grid of samples from fixed latents, or of fixed images of the dataset.

        Raises TrainingStopped if the disk is full.
        """
        if self.step != self._drawn_at:
            self.refuse_nonfinite()
            with self._shown_as("drawing samples"):
                self._on_main(self._draw)
            self._drawn_at = self.step

    def _fixed_examples(self) -> dict[str, Tensor]:
        """Return the examples of every grid; read before any ``set_epoch``, to stay the same."""
        order = torch.randperm(len(self.dataset), generator=rng(self.recipe.seed, "fixed"))
        return collate(self.dataset, order[: self.recipe.samples.count].tolist())

    def _draw(self) -> None:
        count, seed = self.recipe.samples.count, self.recipe.seed
        if self.image_inputs:
            reads = self.networks["generator"].reads
            words = dict(self._fixed)
            if "latent" in reads:
                n = len(next(iter(words.values())))
                words["latent"] = samples.latents(self.generator, seed, n)
            update = Update(words, self.networks, self.views)
            inputs = {word: update[word] for word in reads if word in update}
            pictures = samples.draw(self.generator, inputs)
            given = samples.to_uint8(update[self.image_inputs[0]])
            grid = samples.pairs(given, pictures)
        else:
            grid = samples.grid(samples.sample(self.generator, count, seed))
        path = self.folder.samples / f"{self.step:08d}.png"
        with self._writing("the sample grid"):
            path.parent.mkdir(exist_ok=True)
            grid.save(path)
        self.notify("samples_drawn", step=self.step, path=path)

    def log(self, stage: str) -> dict[str, Any]:
        """Write ``latest`` as a row of metrics.jsonl, and look for findings."""
        self.refuse_nonfinite()
        row = {"step": self.step, "stage": stage, "seconds": round(self.seconds, 3)}
        row |= {key: float(f"{v:.6g}") for key, v in self._averaged(self.latest).items()}
        self._on_main(lambda: self._log(row))
        return row

    def _log(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self.findings = diagnosis.find(self._rows)
        with self._writing("metrics.jsonl"):
            self.folder.append(row)

    def _averaged(self, logs: Mapping[str, Tensor | float]) -> dict[str, float]:
        """Average every value over the processes."""
        device = self.accelerator.device
        values = torch.tensor([v if isinstance(v, float) else 0.0 for v in logs.values()])
        measured = {i: v for i, v in enumerate(logs.values()) if isinstance(v, Tensor)}
        if measured:  # all at once, as each transfer waits for the device
            looked = torch.stack([v.float().to(device) for v in measured.values()])
            values[list(measured)] = looked.cpu()
        if self.accelerator.num_processes > 1:
            values = self.accelerator.reduce(values.to(device), "mean")
        return dict(zip(logs, values.tolist(), strict=True))

    def notify(self, event: str, **arguments: Any) -> None:
        """Notify observers and trackers, on the main process."""
        if self.accelerator.is_main_process:
            notify(self.observers, event, run=self, **arguments)

    @contextmanager
    def _shown_as(self, what: str) -> Iterator[None]:
        """Show ``what`` as the run's activity while the block runs."""
        before, self.doing = self.doing, what
        try:
            yield
        finally:
            self.doing = before

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Tell observers, trackers and the manifest when the run begins and how it ends."""
        self._clock = time.monotonic()
        self._on_main(self._note_start)
        error: BaseException | None = None
        try:
            self.notify("run_started")
            self._clock = time.monotonic()  # opening a tracker is not training
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            if self.accelerator.is_main_process:
                with suppress(OSError):  # a full disk was reported already
                    self.folder.note(
                        status="finished" if error is None else "stopped",
                        step=self.step,
                        seconds=round(self.seconds, 1),
                        images=self.images,
                        reason=reason(error) if error else None,
                    )
            self.notify("run_ended", error=error)
            self.accelerator.end_training()

    def _note_start(self) -> None:
        with self._writing("manifest.json"):
            self.folder.note(
                new_manifest(self.recipe, self.plugins),
                status="running",
                reason=None,
                images=self.images,
                recipe_sha256=self.recipe.hash,
                processes=self.accelerator.num_processes,
                precision=self.precision.as_dict(),
                dataset_sha256=self.dataset.fingerprint(),
                extractors_sha256=self.extractor_hashes,
                environment=environment(),
                evaluation=self.scoring.evaluation() if self.scoring else None,
            )

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """End the run with a sentence if the disk refuses."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise TrainingStopped(
                f"step {self.step}: {what} could not be written to {self.path}: "
                f"{'the disk is full' if full else error}. {self.folder.last_checkpoint()} "
                f"{'Make room' if full else 'Mend that'}, then: ganzoo resume {self.path}"
            ) from error

    # -- several processes ------------------------------------------------------------------

    def anywhere(self, flag: int) -> int:
        """Return the largest ``flag`` of all processes, on each of them."""
        if self.accelerator.num_processes == 1:
            return flag
        flags = self.accelerator.gather(torch.tensor([flag], device=self.accelerator.device))
        return int(flags.max())

    def _on_main(self, act: Callable[[], None]) -> None:
        """Do something on the main process; if it fails, all processes stop together."""
        problem: Exception | None = None
        if self.accelerator.is_main_process:
            try:
                act()
            except Exception as error:
                problem = error
        if self.anywhere(problem is not None):
            raise problem or TrainingStopped("the main process could not go on, as it says")

    # -- signals ----------------------------------------------------------------------------

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run after the step in progress; a second Ctrl-C at once.

        Raises Interrupted if it ends at once.
        """
        try:
            with self._interrupts.listening(speak=self.accelerator.is_main_process):
                yield
        except KeyboardInterrupt:
            if not self._interrupts.raised.is_set():  # raised by an observer
                raise
            raise Interrupted(self._interrupts.farewell()) from None

    def obey_signal(self) -> None:
        """Save and raise Interrupted if this or another process was asked to stop."""
        if asked := self.anywhere(self._interrupts.asked):
            self.save()
            raise Interrupted(self._interrupts.when_saved(asked))


def _lay_out_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Give an optimiser's state the memory layout of its parameters, which fused kernels want."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def new_manifest(recipe: Recipe, plugins: Plugins) -> Manifest:
    """Record what is known before the first step: seed, recipe hash and every plugin."""
    return Manifest(
        recipe=recipe.name,
        recipe_sha256=recipe.hash,
        seed=recipe.seed,
        plugins={p.origin.plugin: str(p.origin) for p in plugins.plugins if not p.error},
    )


def saved_state(folder: RunFolder) -> dict[str, Any]:
    """Return the newest intact checkpoint's state; empty if there is none."""
    for path in reversed(checkpoint.steps(folder.checkpoints).values()):
        with suppress(CheckpointError):
            return checkpoint.state(path)
    return {}


def new_run(folder: RunFolder, overrides: Sequence[str] = ()) -> str:
    """Return the command for a new run, from the weights of this one if it saved any."""
    saved = checkpoint.steps(folder.checkpoints)
    changes = [f"init_from={folder.path}"] * bool(saved) + list(overrides)
    sets = (f"--set {shlex.quote(change)}" for change in changes)
    return " ".join(["ganzoo train", shlex.quote(str(folder.recipe)), *sets])


def _recorded_precision(folder: RunFolder) -> Precision | None:
    """Return a run's precision from its newest checkpoint or, before the first, its manifest."""
    data = saved_state(folder).get("precision")
    if data is None:
        with suppress(RunError):
            data = manifests.read(folder.manifest).precision
    return Precision(**data) if data else None
