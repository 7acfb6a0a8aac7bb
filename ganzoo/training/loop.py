"""The training loop.

One step: the discriminator takes as many updates as the stage says, then the generator one; each
update evaluates the player's terms on the words of ``step.py``.  Nothing here depends on a
particular GAN.
"""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import CheckpointError, DataError, RunError
from ganzoo.models.network import Network
from ganzoo.models.randomness import seed_default
from ganzoo.plugins.manager import Plugins
from ganzoo.progress import Pace, status
from ganzoo.recipe.recipe import diff, leaves, load_recipe
from ganzoo.recipe.recipe_types import HARMLESS, Recipe, Schedule, Stage
from ganzoo.text import say
from ganzoo.training import build
from ganzoo.training.batch_statistics import image_statistics, ranking
from ganzoo.training.devices import deterministic
from ganzoo.training.feed import feed
from ganzoo.training.objective import Objective
from ganzoo.training.optimizers import set_lr
from ganzoo.training.run import Run, Words, new_run, saved_state
from ganzoo.training.run_folder import RunFolder, to_train_longer
from ganzoo.training.words import Update


def start(recipe: Recipe, out: Path, plugins: Plugins) -> Run:
    """Train ``recipe`` into the new run folder ``out``."""
    folder = RunFolder(out)
    folder.refuse_taken()  # on all processes, before any builds the run
    with status("preparing the run"):  # fail before the folder exists
        run = Run(recipe, folder, plugins)
    run.create()
    with run.locked():
        _warn(run)
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
    saved = saved_state(folder).get("recipe")
    if saved is not None:
        _refuse_changes(saved, recipe, folder, overrides)
    try:
        with status("preparing the run"):
            run = Run(recipe, folder, plugins)
    except (DataError, RunError) as error:
        raise type(error)(*error.args, *_where_it_moved(recipe, path, saved is None)) from error
    with run.locked():
        for name, begun in (saved or {}).get("plugins", {}).items():
            if (now := recipe.plugins.get(name, begun)) != begun:
                _say(run, f"warning: {name} is {now}, and was {begun} when this began")
        _warn(run)
        for line in run.restore(overrides):
            _say(run, f"warning: {line}")
        if overrides:
            run.write_recipe()
        if run.step == run.steps:
            _say(run, to_train_longer(path, [stage.steps for stage in recipe.stages]))
        train(run)
    return run


def _warn(run: Run) -> None:
    for line in run.warnings:
        _say(run, f"warning: {line}")


def _say(run: Run, line: str) -> None:
    if run.accelerator.is_main_process:
        say(line)


def _where_it_moved(recipe: Recipe, run: Path, new: bool) -> list[str]:
    """Say how to resume if images or weights have moved since the recipe was written.

    Only a ``new`` run, without a checkpoint, reads the first weights.
    """
    data = {k: v for k, v in recipe.resolved().items() if k in _HASHED and v}
    if not new:
        data.pop("init_from", None)
    values = {key: v if isinstance(v, list) else [v] for key, v in leaves(data)}
    gone = [
        key
        for key, found in values.items()
        if any(_is_path(value) and not os.path.lexists(value) for value in found)
    ]
    sets = " ".join(f"--set {shlex.quote(f'{key}=NEW')}" for key in gone)
    return [f"If they were moved: ganzoo resume {shlex.quote(str(run))} {sets}"] if gone else []


def _refuse_changes(
    saved: dict[str, Any], recipe: Recipe, folder: RunFolder, overrides: Sequence[str]
) -> None:
    old, new = (_training(data) for data in (copy.deepcopy(saved), recipe.resolved()))
    for key in _HASHED:
        new[key] = _put_back(old.get(key), new.get(key))
    if len(old["stages"]) == len(new["stages"]):  # the last stage may be longer
        last = old["stages"][-1]
        last["steps"] = max(last["steps"], new["stages"][-1]["steps"])
    if old != new:
        raise CheckpointError(
            "the recipe has changed since the checkpoint was written:",
            *(f"  {line}" for line in diff(old, new)),
            "resume goes on exactly and refuses this. Undo the change, or start a new run from "
            f"these weights: {new_run(folder, overrides)}",
        )


#: sections whose paths may change, since ``Run.restore`` compares their content by hash
_HASHED = ("dataset", "extractors", "init_from")


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def _put_back(old: Any, new: Any) -> Any:
    """Return ``new`` with each differing path replaced by the one in ``old``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _put_back(old.get(key), value) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_put_back(*pair) for pair in zip(old, new, strict=True)]
    return old if _is_path(old) and _is_path(new) else new


def _training(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what decides a training; ``plugin/name``, used after a clash, counts as the name."""
    kept = {key: value for key, value in recipe.items() if key not in HARMLESS}
    bare: dict[str, Any] = _bare(kept)
    return bare | {"plugins": sorted(recipe.get("plugins", ()))}


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {key: _bare(item) for key, item in value.items()}
    if isinstance(use := bare.get("use"), str):
        bare["use"] = use.rpartition("/")[2]
    return bare


def train(run: Run) -> None:
    """Train from ``run.step`` to the end, saving on the way.

    Raises TrainingStopped on a non-finite value, a full disk or a signal; saved state is kept.
    """
    with run.observed(), run.signals(), deterministic(run.accelerator.device):
        if run.step == 0:
            run.draw()
        elif _is_due(run):  # it was killed while measuring
            run.evaluate()
        first = 0
        for stage in run.recipe.stages:
            if run.step < first + stage.steps:
                train_stage(run, stage, first)
            first += stage.steps
        run.draw()
        run.save()
        run.evaluate()


def _is_due(run: Run) -> bool:
    """Whether the recipe asks for a measurement at this step."""
    return run.recipe.evaluate is not None and run.step % run.recipe.evaluate.every == 0


def train_stage(run: Run, stage: Stage, first: int) -> None:
    """Train from ``run.step`` to the end of a stage that begins at step ``first``."""
    if run.step == first:
        run.latest = {}
    rates = _optimizers(run, stage)
    run.pace = Pace()
    with closing(feed(run)) as batches:
        while run.step < first + stage.steps:
            _train_step(run, stage, run.step - first, rates, batches)
            if run.step % run.recipe.samples.every == 0:
                run.draw()
            if run.step % run.recipe.checkpoint.every == 0:
                run.save()
            if _is_due(run):
                run.evaluate()
            run.obey_signal()


def _train_step(
    run: Run,
    stage: Stage,
    now: int,
    rates: dict[str, Schedule],
    batches: Iterator[list[Words]],
) -> None:
    """Take step ``now`` of a stage, counted from 0: every player's updates, the EMA and the log."""
    run.pace.begin_step()
    recipe, objectives = run.recipe, run.objectives[stage.name]
    last = run.step + 1 == run.steps  # a stage's first step shows where its terms begin
    logging = now == 0 or (run.step + 1) % recipe.log.every == 0 or last
    seed_default(recipe.seed, "step", run.step, run.accelerator.process_index)
    for player, rate in rates.items():
        set_lr(run.optimizers[player], rate.at(now))
        run.latest[f"lr/{player}"] = rate.at(now)
    for repeat in range(stage.discriminator_steps, 0, -1):
        batch = next(batches)
        if "discriminator" in objectives:
            share = repeat == 1 and len(batch) == 1 and "generator" in objectives
            run.latest |= _update(run, objectives, "discriminator", batch, now, logging, share)
    if "generator" in objectives:
        run.latest |= _update(run, objectives, "generator", batch, now, logging)
    _average_buffers(run)
    if run.ema and "generator" in objectives:
        run.ema.update(run.networks["generator"].bare, run.step)
    run.pace.end_step()
    run.step += 1
    row = run.log(stage.name) if logging else {}
    run.notify("step_ended", step=run.step, logs=row)


def _update(
    run: Run,
    objectives: dict[str, Objective],
    player: str,
    batch: list[Words],
    now: int,
    logging: bool,
    share: bool = False,
) -> dict[str, Tensor]:
    """Take one optimiser step of ``player`` on the micro-batches; return the last one's log.

    The generator runs once per batch: with ``share`` the discriminator's update, which sees the
    fakes detached, leaves them in ``batch`` for the generator's update.  Accumulation, which saves
    memory, makes them once for each player instead.
    """
    objective = objectives[player]
    others = [net for name, net in run.networks.items() if name != player]
    learning = player == "generator"
    logs: dict[str, Tensor] = {}
    for words in batch:
        if "fake" not in words:
            with torch.set_grad_enabled(learning or share):
                generator = run.networks["generator"]
                words["fake"] = generator(Update(words, run.networks, run.views))
        fake = words["fake"] if learning else words["fake"].detach()
        if not share:
            del words["fake"]
        with _frozen(others):  # their gradients are not needed
            given = words | {"fake": fake}
            update = Update(
                given,
                run.networks,
                run.views,
                run.augment,
                objective.leaves(now),
                run.extractors,
            )
            value = objective(update, now)
            run.watch(player, value)
            measured = value.raw | value.measures
            logs = {f"{player}/{name}": one.detach() for name, one in measured.items()}
            if logging and learning:
                shares = value.gradient_shares(fake)
                logs |= {f"share/{name}": torch.tensor(part) for name, part in shares.items()}
                # without a discriminator, G is trained to return its source
                source = _source(run, update) if "discriminator" in objectives else None
                logs |= image_statistics(fake, words.get("real"), source)
            elif logging and {"real_logits", "fake_logits"} <= update.values.keys():
                logs |= ranking(update["real_logits"], update["fake_logits"])
            if value.total.requires_grad:
                total = value.total / len(batch) if len(batch) > 1 else value.total
                for parameter in _awaited(run, player):
                    total = total + 0 * parameter.sum()
                scaler = run.accelerator.scaler
                (scaler.scale(total) if scaler else total).backward()
    if value.total.requires_grad:
        _move(run, player)
    return logs


def _move(run: Run, player: str) -> None:
    """Let the optimiser of ``player`` apply the gradients.

    Accelerate's own optimiser searches the disk for an optional package at every step.
    """
    for parameter in _awaited(run, player):
        if parameter.grad is not None and not parameter.grad.any():
            parameter.grad = None  # as on one process
    optimizer, scaler = run.optimizers[player], run.accelerator.scaler
    if scaler:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    optimizer.zero_grad()


def _awaited(run: Run, player: str) -> list[nn.Parameter]:
    """Return the parameters that other processes wait for, even if this update reaches none.

    They belong to a network whose ``heads`` are not used in every step.
    """
    network = run.networks[player]
    if run.accelerator.num_processes == 1 or not getattr(network.bare, "heads", ()):
        return []
    return network.learning


@contextmanager
def _frozen(networks: Sequence[Network]) -> Iterator[None]:
    learning = [parameter for network in networks for parameter in network.learning]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _optimizers(run: Run, stage: Stage) -> dict[str, Schedule]:
    """Set the optimisers of this stage; return the schedules of their learning rates."""
    run.optimizers, rates = {}, {}
    for player, (optimizer, rate) in build.optimizers(stage, run.networks).items():
        run.optimizers[player], rates[player] = optimizer, rate
    run.restore_optimizers()
    return rates


def _source(run: Run, update: Update) -> Tensor | None:
    """Return the generator's input image, for a network that translates images."""
    return update[run.image_inputs[0]] if run.image_inputs else None


def _average_buffers(run: Run) -> None:
    """Average running statistics over the processes, so that all ranks hold the same networks."""
    if run.accelerator.num_processes > 1:
        for network in run.networks.values():
            for buffer in network.bare.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(run.accelerator.reduce(buffer, "mean"))
