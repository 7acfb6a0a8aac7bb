"""The training loop.

One step: the discriminator takes as many updates as the stage says, then the generator one; each
update evaluates the player's terms on the words of ``step.py``.  Nothing in here knows a GAN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor

from ganzoo import build
from ganzoo.errors import CheckpointError, TrainingStopped
from ganzoo.folder import RunFolder
from ganzoo.measure import image_statistics, ranking
from ganzoo.objective import Objective
from ganzoo.optimizers import make_optimizer, set_lr
from ganzoo.plugins import Plugins
from ganzoo.randomness import batches, rng, seed_default
from ganzoo.recipe import Recipe, Schedule, Stage, load_recipe
from ganzoo.recipe import diff as recipe_diff
from ganzoo.run import Run, Words, new_manifest, saved_recipe
from ganzoo.step import Update
from ganzoo.vocabulary import vocabulary

PLAYERS = ("discriminator", "generator")


def start(recipe: Recipe, out: Path, plugins: Plugins) -> Run:
    """Train ``recipe`` into the new run folder ``out``."""
    folder = RunFolder(out)
    if PartialState().is_main_process:
        folder.refuse_taken()
    run = Run(recipe, folder, plugins)  # whatever can fail, fails before the folder exists
    if run.accelerator.is_main_process:
        folder.create(recipe.to_yaml(), new_manifest(recipe, plugins))
    run.accelerator.wait_for_everyone()
    train(run)
    return run


def resume(path: Path, overrides: Sequence[str], plugins: Plugins) -> Run:
    """Go on with a run, exactly as if it had never been stopped.

    Raises CheckpointError where the recipe is not the one that the checkpoint was trained with;
    only a longer last stage, and how often to log, draw and save, may change.
    """
    folder = RunFolder.open(path)
    recipe = load_recipe(str(folder.recipe), overrides, plugins.registry)
    saved = saved_recipe(folder)
    if saved is not None:
        _refuse_changes(saved, recipe)
    run = Run(recipe, folder, plugins)
    for line in run.restore():
        run.accelerator.print(f"warning: {line}; going on from an earlier checkpoint")
    train(run)
    return run


def _refuse_changes(saved: dict[str, Any], recipe: Recipe) -> None:
    steps = f"stages[{len(recipe.stages) - 1}].steps"
    changes = []
    for line in recipe_diff(saved, recipe.resolved()):
        key, _, values = line.partition(": ")
        if key.split(".")[0] in {"recipe", "log", "samples", "checkpoint"}:
            continue
        old, _, new = values.partition(" -> ")
        if key == steps and int(new) > int(old):
            continue
        changes.append(f"  {line}")
    if changes:
        raise CheckpointError(
            "the recipe has changed since the checkpoint was written:\n"
            + "\n".join(changes)
            + "\nresume goes on exactly and refuses this. Undo the change, or start a new run from "
            "these weights: ganzoo train RECIPE --set init_from=RUN"
        )


def train(run: Run) -> None:
    """Train from ``run.step`` to the end, saving on the way.

    Raises TrainingStopped on a non-finite value, a full disk or a signal; what was saved is kept.
    """
    with run.observed(), run.signals():
        if run.step == 0:
            run.draw()
        first = 0
        for stage in run.recipe.stages:
            if run.step < first + stage.steps:
                _train_stage(run, stage, first)
            first += stage.steps
        run.draw()
        run.save()


def _train_stage(run: Run, stage: Stage, first: int) -> None:
    recipe = run.recipe
    objectives = _objectives(run, stage)
    rates = _optimizers(run, stage)
    feed = _feed(run, stage, first)
    logs: dict[str, Any] = {}  # the latest of each: a term may be left out of most steps
    while run.step < first + stage.steps:
        now = run.step - first
        logging = (run.step + 1) % recipe.log.every == 0 or run.step + 1 == run.steps
        seed_default(recipe.seed, "step", run.step, run.accelerator.process_index)
        for player, rate in rates.items():
            set_lr(run.optimizers[player], rate.at(now))
            logs[f"lr/{player}"] = rate.at(now)
        for repeat in range(stage.discriminator_steps, 0, -1):
            batch = next(feed)
            if "discriminator" in objectives:
                logs |= _update(run, objectives, "discriminator", batch, now, logging, repeat == 1)
        if "generator" in objectives:
            logs |= _update(run, objectives, "generator", batch, now, logging)
            _average_buffers(run)
            if run.ema:
                run.ema.update(run.networks["generator"].bare, run.step)
        run.step += 1
        row = run.log(stage.name, logs) if logging else {}
        run.notify("step_ended", step=run.step, logs=row)
        if run.step % recipe.samples.every == 0:
            run.draw()
        if run.step % recipe.checkpoint.every == 0:
            run.save()
        run.obey_signal()


def _update(
    run: Run,
    objectives: dict[str, Objective],
    player: str,
    batch: list[Words],
    now: int,
    logging: bool,
    last: bool = True,
) -> dict[str, Tensor]:
    """One optimiser step of ``player`` on the micro-batches; what to log of the last of them.

    The generator runs once per batch: the discriminator sees its fakes detached, and the
    generator's update goes on with the same ones.  With accumulation, which is there to save
    memory, it runs once for each player instead.
    """
    objective, optimizer = objectives[player], run.optimizers[player]
    generator = run.networks["generator"]
    shared = last and len(batch) == 1 and "generator" in objectives
    others = [net.bare for name, net in run.networks.items() if name != player]
    if player == "generator":  # no gradients of D where nobody wants them
        _require_grad(others, False)
    logs: dict[str, Tensor] = {}
    for words in batch:
        fake = words.pop("fake", None)
        if fake is None:
            with torch.set_grad_enabled(player == "generator" or shared):
                fake = generator(words)
        if player == "discriminator" and shared:
            words["fake"] = fake
        given = words | {"fake": fake.detach() if player == "discriminator" else fake}
        update = Update(given, run.networks, run.views, run.augment, objective.leaves(now))
        value = objective(update, now)
        if bad := value.first_nonfinite():
            raise _non_finite(run, player, bad)
        logs = {f"{player}/{name}": raw.detach() for name, raw in value.raw.items()}
        if logging and player == "generator":
            shares = value.gradient_shares(fake)
            logs |= {f"share/{name}": torch.tensor(share) for name, share in shares.items()}
            logs |= image_statistics(fake, words.get("real"), _source(run, words))
        elif logging and {"real_logits", "fake_logits"} <= update.values.keys():
            logs |= ranking(update["real_logits"], update["fake_logits"])
        if value.total.requires_grad:
            run.accelerator.backward(value.total / len(batch))
    if player == "generator":
        _require_grad(others, True)
    optimizer.step()
    optimizer.zero_grad()
    return logs


def _objectives(run: Run, stage: Stage) -> dict[str, Objective]:
    """The objectives of the players that have terms in this stage, the discriminator's first."""
    available = vocabulary(
        run.fields,
        {name: source for name, (_, source) in run.views.items()},
        run.networks,
        run.networks["generator"].reads,
    )
    registry, device = run.plugins.registry, run.accelerator.device
    return {
        player: build.objective(registry, stage, player, set(available), device)
        for player in PLAYERS
        if getattr(stage, player)
    }


def _optimizers(run: Run, stage: Stage) -> dict[str, Schedule]:
    """Give the run fresh optimisers for this stage; the schedules of their learning rates."""
    run.optimizers, rates = {}, {}
    for player in PLAYERS:
        if getattr(stage, player):
            use, arguments = stage.optimizer_for(player)
            parameters = run.networks[player].bare.parameters()
            optimizer, rates[player] = make_optimizer(use, parameters, arguments)
            run.optimizers[player] = run.accelerator.prepare_optimizer(optimizer)
    run.restore_optimizers()
    return rates


def _feed(run: Run, stage: Stage, first: int) -> Iterator[list[Words]]:
    """This process's part of every batch from ``run.step`` on, as micro-batches.

    ``batch`` counts the images of all processes together, and latents are drawn for all of them,
    so that a recipe means the same on any number of processes.
    """
    recipe, device = run.recipe, run.accelerator.device
    mine = slice(run.accelerator.process_index, None, run.accelerator.num_processes)
    generator = run.networks["generator"]
    before = recipe.stages[: recipe.stages.index(stage)]
    number = sum(s.steps * s.discriminator_steps for s in before)
    number += (run.step - first) * stage.discriminator_steps
    latest = None
    for epoch, indices in batches(len(run.dataset), recipe.batch, recipe.seed, number):
        if epoch != latest:
            run.dataset.set_epoch(recipe.seed, epoch)
            latest = epoch
        words = build.collate(run.dataset, indices[mine])
        if "latent" in generator.reads:
            draw = rng(recipe.seed, "latents", number)
            words["latent"] = generator.bare.sample_latent(recipe.batch, draw)[mine]
        parts = [
            {name: part.to(device) for name, part in zip(words, split, strict=True)}
            for split in zip(*(w.chunk(recipe.accumulate) for w in words.values()), strict=True)
        ]
        yield parts
        number += 1


def _source(run: Run, words: Words) -> Tensor | None:
    """The image that the generator was given, for a network that translates images."""
    images = [w for w in run.networks["generator"].reads if run.fields.get(w) == "image"]
    return words[images[0]] if images else None


def _require_grad(networks: Sequence[torch.nn.Module], wanted: bool) -> None:
    for network in networks:
        network.requires_grad_(wanted)


def _average_buffers(run: Run) -> None:
    """Average running statistics over the processes, so that all ranks hold the same networks."""
    if run.accelerator.num_processes > 1:
        for network in run.networks.values():
            for buffer in network.bare.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(run.accelerator.reduce(buffer, "mean"))


def _non_finite(run: Run, player: str, term: str) -> TrainingStopped:
    return TrainingStopped(
        f"NON_FINITE at step {run.step}: the {player}'s term '{term}' is NaN or infinite. "
        f"{run.last_checkpoint()} To go on from its weights with a lower learning rate: "
        f"ganzoo train {run.folder.recipe} --set init_from={run.path} --set optimizer.lr=..."
    )
