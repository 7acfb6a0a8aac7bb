"""One step of training: every player's updates, in order.

An update makes the images that it needs, evaluates the objectives of its players on them, and lets
their optimisers move their networks.  Nothing here depends on a particular GAN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganzoo.models.randomness import seed_default
from ganzoo.recipe.recipe_types import Schedule, Stage
from ganzoo.training.batch_statistics import image_statistics, ranking
from ganzoo.training.journal import log, watch
from ganzoo.training.objective import Evaluated
from ganzoo.training.run import Run
from ganzoo.training.turns import Roles, Turn
from ganzoo.training.words import Words

#: micro-batches, each with its words on this process's device
Batch = list[dict[str, Tensor]]


def take_step(
    run: Run, stage: Stage, now: int, rates: Mapping[str, Schedule], batches: Iterator[Batch]
) -> None:
    """Take step ``now`` of a stage, counted from 0: every player's updates, the EMA and the log."""
    run.pace.begin_step()
    recipe, parts = run.recipe, run.parts
    last = run.step + 1 == run.steps  # a stage's first step shows where its terms begin
    logging = now == 0 or (run.step + 1) % recipe.log.every == 0 or last
    seed_default(recipe.seed, "step", run.step, parts.accelerator.process_index)
    for player, rate in rates.items():
        for group in run.optimizers[player].param_groups:
            group["lr"] = rate.at(now)
        run.latest[f"lr/{player}"] = rate.at(now)
    batch: Batch = []
    for turn in parts.turns[stage.name]:
        batch = next(batches) if turn.is_fresh else batch
        if turn.players:
            update(run, stage, turn, batch, now, logging)
    run.processes.average_buffers(
        buffer for network in parts.networks.values() for buffer in network.bare.buffers()
    )
    for role, average in parts.averages.items():  # also of what learns no more: it catches up
        average.update(parts.networks[role].bare, run.step)
    run.pace.end_step()
    run.step += 1
    row = log(run, stage.name) if logging else {}
    run.notify("step_ended", step=run.step, logs=row)


def update(run: Run, stage: Stage, turn: Turn, batch: Batch, now: int, logging: bool) -> None:
    """Let the players of a turn take one optimiser step each, from one forward pass of a batch."""
    movers: list[str] = []
    for values in batch:
        make(run, turn, values)
        with _frozen(run, run.parts.networks.keys() - turn.roles):  # needs no gradients
            totals = evaluate(run, stage, turn, values, now, logging)
            movers = [player for player, total in totals.items() if total.requires_grad]
            for player in movers:
                total = totals[player] / len(batch) if len(batch) > 1 else totals[player]
                backward(run, player, total, len(turn.players) > 1)
        for word in turn.makers.keys() & values.keys() - turn.keeps:
            del values[word]
    for player in movers:
        move(run, player)
    if movers and (scaler := run.parts.accelerator.scaler):
        scaler.update()


def make(run: Run, turn: Turn, values: dict[str, Tensor]) -> None:
    """Add to ``values`` the words that networks make for this turn, unless one before left them."""
    networks = run.parts.networks
    for word, learners in turn.makes.items():
        if word not in values:
            sources = Words(_seen(values, turn, learners), networks, run.parts.views)
            others = turn.makers[word] - learners
            with torch.set_grad_enabled(bool(learners)), _frozen(run, others):
                values[word] = sources[word]


def evaluate(
    run: Run, stage: Stage, turn: Turn, values: Mapping[str, Tensor], now: int, logging: bool
) -> dict[str, Tensor]:
    """Evaluate and log the objectives of a turn's players on a batch; return what to minimise."""
    parts, objectives = run.parts, run.parts.objectives[stage.name]
    words = Words(
        _seen(values, turn, turn.roles),
        parts.networks,
        parts.views,
        parts.augment,
        {word for player in turn.players for word in objectives[player].leaves(now)},
        parts.extractors,
    )
    totals = {}
    for player in turn.players:
        value = objectives[player](words, now)
        watch(run, player, value)
        for name, one in (value.raw | value.measures).items():
            run.latest[f"{player}/{name}"] = one.detach()
        if logging:
            run.latest |= _measured(run, stage, turn, player, words, value)
        totals[player] = value.total
    return totals


def _measured(
    run: Run, stage: Stage, turn: Turn, player: str, words: Words, value: Evaluated
) -> dict[str, Tensor]:
    """Measure what findings are made of: who learns from which term, and how D and G fare."""
    objectives, logs = run.parts.objectives[stage.name], dict[str, Tensor]()
    if run.recipe.method(player) == "discriminator":
        for judge, (real, fake) in objectives[player].logits.items():
            if real in words.values and fake in words.values:
                suffix = "" if judge == "discriminator" else f"@{judge}"
                ranks = ranking(words[real], words[fake])
                logs |= {f"{name}{suffix}": one for name, one in ranks.items()}
        return logs
    shares = value.gradient_shares([words[word] for word in turn.meters[player]])
    prefix = "" if player == "generator" else f"{player}."
    logs |= {f"share/{prefix}{name}": torch.tensor(part) for name, part in shares.items()}
    if "generator" in run.recipe.players[player]:
        # without a discriminator, G is trained to return its source
        has_judge = any(run.recipe.method(other) == "discriminator" for other in objectives)
        inputs = run.parts.image_inputs if has_judge else ()
        source = words[inputs[0]] if inputs else None
        logs |= image_statistics(words["fake"], words.values.get("real"), source)
    return logs


def backward(run: Run, player: str, total: Tensor, is_joint: bool) -> None:
    """Add the gradients of ``total``: in a joint update those of the player's own networks."""
    for parameter in _awaited(run, player):
        total = total + 0 * parameter.sum()
    scaler = run.parts.accelerator.scaler
    loss = scaler.scale(total) if scaler else total
    loss.backward(
        retain_graph=is_joint or None,
        inputs=run.parts.learning[player] if is_joint else None,
    )


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
    else:
        optimizer.step()
    optimizer.zero_grad()


def _seen(values: Mapping[str, Tensor], turn: Turn, learners: Roles) -> dict[str, Tensor]:
    """Return the words as the roles ``learners`` see them: detached if they do not make them."""
    return {
        word: value if turn.makers.get(word, learners) & learners else value.detach()
        for word, value in values.items()
    }


def _awaited(run: Run, player: str) -> list[nn.Parameter]:
    """Return the parameters that other processes wait for, even if this update reaches none.

    They belong to networks of which an update may use nothing, or one of the ``heads``.
    """
    if run.processes.count == 1:
        return []
    roles = run.recipe.players[player]
    networks = [run.parts.networks[role] for role in roles]
    return [
        parameter
        for network in networks
        if len(roles) > 1 or bool(getattr(network.bare, "heads", ()))
        for parameter in network.learning
    ]


@contextmanager
def _frozen(run: Run, roles: Iterable[str]) -> Iterator[None]:
    parameters = [parameter for role in roles for parameter in run.parts.networks[role].learning]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
