"""One step of training: every player's updates, in order.

An update makes the images that it needs, evaluates the player's objective on them, and lets the
optimiser move the player's networks.  Nothing here depends on a particular GAN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganzoo.models.network import Network
from ganzoo.models.randomness import seed_default
from ganzoo.recipe.recipe_types import Schedule, Stage
from ganzoo.training.batch_statistics import image_statistics, ranking
from ganzoo.training.journal import log, watch
from ganzoo.training.objective import Evaluated
from ganzoo.training.run import Run
from ganzoo.training.words import Words

Batch = list[dict[str, Tensor]]


def take_step(
    run: Run, stage: Stage, now: int, rates: dict[str, Schedule], batches: Iterator[Batch]
) -> None:
    """Take step ``now`` of a stage, counted from 0: every player's updates, the EMA and the log.

    A batch is a list of micro-batches, each a dict of words on this process's device.
    """
    run.pace.begin_step()
    recipe, objectives = run.recipe, run.parts.objectives[stage.name]
    last = run.step + 1 == run.steps  # a stage's first step shows where its terms begin
    logging = now == 0 or (run.step + 1) % recipe.log.every == 0 or last
    seed_default(recipe.seed, "step", run.step, run.parts.accelerator.process_index)
    for player, rate in rates.items():
        for group in run.optimizers[player].param_groups:
            group["lr"] = rate.at(now)
        run.latest[f"lr/{player}"] = rate.at(now)
    for repeat in range(stage.discriminator_steps, 0, -1):
        batch = next(batches)
        if "discriminator" in objectives:
            share = repeat == 1 and len(batch) == 1 and "generator" in objectives
            _update(run, stage, "discriminator", batch, now, logging, share)
    if "generator" in objectives:
        _update(run, stage, "generator", batch, now, logging)
    run.processes.average_buffers(
        buffer for network in run.parts.networks.values() for buffer in network.bare.buffers()
    )
    if run.parts.ema and "generator" in objectives:
        run.parts.ema.update(run.parts.networks["generator"].bare, run.step)
    run.pace.end_step()
    run.step += 1
    row = log(run, stage.name) if logging else {}
    run.notify("step_ended", step=run.step, logs=row)


def _update(
    run: Run,
    stage: Stage,
    player: str,
    batch: Batch,
    now: int,
    logging: bool,
    share: bool = False,
) -> None:
    """Take one optimiser step of ``player`` on a batch.

    The generator runs once per batch: with ``share`` the discriminator's update, which sees the
    fakes detached, leaves them in ``batch`` for the generator's update.  Accumulation, which saves
    memory, makes them once for each player instead.
    """
    others = [net for name, net in run.parts.networks.items() if name != player]
    for given in batch:
        make(run, player, given, share)
        with _frozen(others):  # their gradients are not needed
            value = evaluate(run, stage, player, given, now, logging)
            if not share:
                del given["fake"]
            if value.total.requires_grad:
                backward(run, player, value.total, len(batch))
    if value.total.requires_grad:
        move(run, player)


def make(run: Run, player: str, given: dict[str, Tensor], share: bool) -> None:
    """Make the fakes of a batch, unless an earlier update left them in ``given``."""
    if "fake" not in given:
        with torch.set_grad_enabled(player == "generator" or share):
            given["fake"] = Words(given, run.parts.networks, run.parts.views)["fake"]


def evaluate(
    run: Run, stage: Stage, player: str, given: dict[str, Tensor], now: int, logging: bool
) -> Evaluated:
    """Evaluate a player's objective on a batch, and log it."""
    parts, objectives = run.parts, run.parts.objectives[stage.name]
    objective, learning = objectives[player], player == "generator"
    fake = given["fake"] if learning else given["fake"].detach()
    words = Words(
        {**given, "fake": fake},
        parts.networks,
        parts.views,
        parts.augment,
        objective.leaves(now),
        parts.extractors,
    )
    value = objective(words, now)
    watch(run, player, value)
    for name, one in (value.raw | value.measures).items():
        run.latest[f"{player}/{name}"] = one.detach()
    if logging and learning:
        for name, part in value.gradient_shares(fake).items():
            run.latest[f"share/{name}"] = torch.tensor(part)
        # without a discriminator, G is trained to return its source
        has_judge = "discriminator" in objectives and run.parts.image_inputs
        source = words[run.parts.image_inputs[0]] if has_judge else None
        run.latest |= image_statistics(fake, given.get("real"), source)
    elif logging and {"real_logits", "fake_logits"} <= words.values.keys():
        run.latest |= ranking(words["real_logits"], words["fake_logits"])
    return value


def backward(run: Run, player: str, total: Tensor, parts: int) -> None:
    """Add the gradients of one of the ``parts`` of a batch."""
    total = total / parts if parts > 1 else total
    for parameter in _awaited(run, player):
        total = total + 0 * parameter.sum()
    scaler = run.parts.accelerator.scaler
    (scaler.scale(total) if scaler else total).backward()


def move(run: Run, player: str) -> None:
    """Let the optimiser of ``player`` apply the gradients.

    Accelerate's own optimiser searches the disk for an optional package at every step.
    """
    for parameter in _awaited(run, player):
        if parameter.grad is not None and not parameter.grad.any():
            parameter.grad = None  # as on one process
    optimizer, scaler = run.optimizers[player], run.parts.accelerator.scaler
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
    network = run.parts.networks[player]
    if run.processes.count == 1 or not getattr(network.bare, "heads", ()):
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
