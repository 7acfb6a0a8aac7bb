"""What a run saves, and how it goes on from that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ganzoo.errors import CheckpointError, TrainingStopped
from ganzoo.evaluation.environment import environment
from ganzoo.files import write_atomic
from ganzoo.models import config, writing
from ganzoo.models.framing import Framing
from ganzoo.recipe.recipe import without_paths
from ganzoo.training import checkpoint
from ganzoo.training.devices import computed_on
from ganzoo.training.initial import initial_hash
from ganzoo.training.interrupts import SAVING
from ganzoo.training.journal import lower_rate, refuse_nonfinite
from ganzoo.training.run import Run


def write_recipe(run: Run) -> None:
    """Replace ``recipe.yaml`` by the recipe that goes on."""

    def write() -> None:
        with run.folder.writing("recipe.yaml", run.step):
            write_atomic(run.folder.recipe, run.recipe.to_yaml())

    run.processes.on_main(write)


def save(run: Run) -> None:
    """Write a checkpoint and the model folder.

    Raises TrainingStopped if a weight is not finite or the disk is full.
    """
    if run.step != run.saved_at:
        refuse_nonfinite(run)
        with run.shown_as(SAVING):
            latest = run.processes.averaged(run.latest)
            run.processes.on_main(lambda: _save(run, latest))
            run.saved_at = run.step


def _save(run: Run, latest: Mapping[str, float]) -> None:
    run.calibrate()
    tensors = {name: network.bare.state_dict() for name, network in run.parts.networks.items()}
    for role, average in run.parts.averages.items():
        tensors[_average_name(role)] = average.network.state_dict()
    states = {}
    for player, optimizer in run.optimizers.items():
        name = f"optimizer-{player}"
        tensors[name], states[player] = checkpoint.flatten_optimizer(optimizer.state_dict())
    for name, values in tensors.items():
        if bad := checkpoint.first_nonfinite(values):
            raise TrainingStopped(
                f"NON_FINITE at step {run.step}: '{bad}' of {name} is NaN or infinite, and "
                f"is not saved. {run.folder.last_checkpoint()} {lower_rate(run)}"
            )
    scaler = run.parts.accelerator.scaler
    state = {
        "seconds": round(run.seconds, 3),
        "latest": latest,
        "recipe": run.recipe.resolved(),
        "precision": run.precision.as_dict(),
        "computed_on": computed_on(run.device),
        "dataset_sha256": run.dataset.fingerprint(),
        "extractors_sha256": run.parts.extractor_hashes,
        "init_sha256": run.init_sha256,
        "optimizers": states,
        "scaler": scaler.state_dict() if scaler else None,
    }
    with run.folder.writing("the checkpoint", run.step):
        path = checkpoint.save(run.folder.checkpoints, run.step, tensors, state)
    _finish_save(run)
    run.notify("checkpoint_saved", step=run.step, path=path)


def _finish_save(run: Run) -> None:
    """Finish a checkpoint; ``restore`` repeats this for a run that was killed in it."""
    with run.folder.writing("the model", run.step):
        _save_model(run, run.folder.model)
    keep_best(run)


def keep_best(run: Run) -> None:
    """Keep the model of this step if it is the best, and only the wanted checkpoints."""
    best = run.scoring.best if run.scoring else None
    if best == run.step:
        with run.folder.writing("the best model", run.step):
            _save_model(run, run.folder.best)
    checkpoint.prune(run.folder.checkpoints, run.step, run.recipe.checkpoint.keep, best)


def _save_model(run: Run, path: Path) -> None:
    parts = {}
    for role, spec in run.recipe.networks.items():
        entry = run.plugins.registry.get(spec.kind, spec.use)
        kind = None if role in config.WEIGHTS else spec.kind
        parts[role] = config.part(entry, spec.use, run.parts.arguments[role], kind)
    others = {role: run.finished(role) for role in run.recipe.averaged if role != "generator"}
    training = {
        "recipe": run.recipe.name,
        "steps": run.step,
        "images": run.images,
        "seconds": round(run.seconds, 1),
        "dataset": {
            "use": run.recipe.dataset.use,
            "sha256": run.dataset.fingerprint(),
            "attribution": run.dataset.attribution,
        },
        "environment": environment(),
    }
    recipe = yaml.safe_dump(without_paths(run.recipe.resolved()), sort_keys=False)
    face, size = run.dataset.face, run.dataset.size
    framing = Framing(size, *face) if face and size else None
    writing.save(
        path,
        run.generator,
        parts,
        training,
        recipe,
        run.dataset.licence,
        others=others,
        face=framing,
        conditions={
            w: run.parts.examples[w] for w in run.generator.conditions if run.parts.examples
        },
    )


def _average_name(role: str) -> str:
    """Name the file of a role's average in a checkpoint."""
    return "ema" if role == "generator" else f"ema-{role}"


def restore(run: Run, overrides: Sequence[str] = ()) -> list[str]:
    """Go back to the newest whole checkpoint; return warnings, such as of a damaged one.

    Optimisers follow when their stage begins.  Without a checkpoint the run starts again.  Raises
    CheckpointError if all are damaged, or if the images or initial weights have changed;
    ``overrides`` are the changes to the recipe.
    """
    on_main, folder = run.processes.on_main, run.folder
    try:
        tensors, state, problems = checkpoint.newest(folder.checkpoints)
    except FileNotFoundError:
        has_rows = bool(folder.rows())
        on_main(lambda: _rewind(run, 0))
        return ["there is no checkpoint, so this run starts again at step 0"] if has_rows else []
    for what, before, now in _hashes(run, state):
        if before != now:
            raise CheckpointError(
                f"{what} have changed since the checkpoint was written; resume goes on exactly "
                "and refuses this. Put them back, or start a new run from these weights: "
                f"{folder.new_run(overrides)}"
            )
    run.init_sha256 = state.get("init_sha256")
    if run.scoring:
        run.scoring.recall(folder.rows(until=state["step"]))
        on_main(lambda: _restore_best(run, state["step"]))
    _load(run, tensors, state)
    if (scaler := run.parts.accelerator.scaler) and state["scaler"]:
        scaler.load_state_dict(state["scaler"])
    run.latest = state["latest"]
    ends = accumulate(stage.steps for stage in run.recipe.stages)
    if run.step not in ends:  # a stage that begins has new optimisers
        run.pending = tensors, state["optimizers"]
    run.saved_at = run.step
    note = folder.read_rows()[1]
    on_main(lambda: _rewind(run, run.step))
    on_main(lambda: _finish_save(run))
    lines = [f"{line}; going on from an earlier checkpoint" for line in problems]
    lines += [note] if note else []
    place = computed_on(run.device)
    if (before := state.get("computed_on", place)) != place:
        lines.append(f"this run began on {before}, and goes on on {place}: equal up to rounding")
    return lines


def restore_optimizers(run: Run) -> None:
    """Load what ``restore`` read, if it did, into the optimisers of the current stage."""
    if run.pending is None:
        return
    tensors, states = run.pending
    run.pending = None
    for player, optimizer in run.optimizers.items():
        values = tensors.get(f"optimizer-{player}", {})
        optimizer.load_state_dict(checkpoint.unflatten_optimizer(values, states[player]))
        for parameter, state in optimizer.state.items():
            for name, value in state.items():  # fused kernels want the layout of the parameters
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _hashes(run: Run, state: Mapping[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what a checkpoint depends on outside of it, with its hash then and now."""
    use = run.recipe.dataset.use
    yield f"the images of dataset '{use}'", state["dataset_sha256"], run.dataset.fingerprint()
    for name, now in run.parts.extractor_hashes.items():
        yield f"the weights of extractor '{name}'", state["extractors_sha256"].get(name), now
    source = run.recipe.init_from
    if source != state["recipe"]["init_from"]:  # if unchanged, it may be gone
        current = initial_hash(source) if source else None
        yield f"the weights of init_from, {source},", state.get("init_sha256"), current


def _load(run: Run, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
    for name, network in run.parts.networks.items():
        network.bare.load_state_dict(tensors[name])
    for role, average in run.parts.averages.items():
        average.network.load_state_dict(tensors[_average_name(role)])
    run.step, run.earlier = state["step"], state["seconds"]
    run.calibrate()  # earlier versions saved the statistics of the training network


def _restore_best(run: Run, newest: int) -> None:
    """Restore a deleted ``best/`` if the checkpoint of that step is whole."""
    best = run.scoring.best if run.scoring else None
    path = checkpoint.steps(run.folder.checkpoints).get(best) if best is not None else None
    if path is None or best == newest or (run.folder.best / config.FILE).is_file():
        return
    with suppress(CheckpointError), run.folder.writing("the best model", run.step):
        _load(run, *checkpoint.read(path))
        _save_model(run, run.folder.best)


def _rewind(run: Run, step: int) -> None:
    with run.folder.writing("metrics.jsonl", run.step):
        run.rows = run.folder.rewind(step)
    if not run.scoring:  # it was killed in a measurement that is no longer wanted
        shutil.rmtree(run.folder.evaluating, ignore_errors=True)
