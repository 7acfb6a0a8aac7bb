"""What a checked and completed recipe is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ganzoo.formats.json import digest
from ganzoo.formats.tree import Node, split
from ganzoo.formats.yaml import dump
from ganzoo.recipe.component import Component

#: keys without influence on the weights: changing them is not another training
HARMLESS = ("recipe", "plugins", "log", "samples", "checkpoint", "evaluate", "verify")


@dataclass(frozen=True)
class Network(Component):
    """A network of a registered ``kind``: generator, discriminator or encoder.

    ``extractors`` maps each argument that is an extractor to its name in the recipe.
    """

    kind: str
    extractors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View(Component):
    """A word that a transform makes of the word ``of``."""

    of: str


@dataclass(frozen=True)
class Application:
    """A word that the network of the role ``apply`` makes of other words.

    ``to`` maps parameters of its ``forward`` to words, as far as the recipe says; the others read
    the words of their own names.
    """

    apply: str
    to: Mapping[str, str]


@dataclass(frozen=True)
class Schedule:
    """A number that moves linearly from ``start`` to ``end``.

    It stays at ``start`` for ``after`` steps, takes ``over`` steps to move, and stays there.
    """

    start: float
    end: float
    over: int = 1
    after: int = 0

    def at(self, step: int) -> float:
        """The value at a stage's ``step``, counted from 0."""
        share = min(max((step - self.after) / self.over, 0.0), 1.0)
        return self.start * (1 - share) + self.end * share

    def __str__(self) -> str:
        if self.start == self.end:
            return f"{self.start:g}"
        after = f" after {self.after:,}" if self.after else ""
        return f"({self.start:g} to {self.end:g} over {self.over:,} steps{after})"


@dataclass(frozen=True)
class Term(Component):
    """A loss in a player's objective.

    ``judge`` is the role whose logits it reads.  If None, they are a view of the recipe, or those
    of the role ``discriminator``.
    """

    weight: Schedule
    every: int
    inputs: Mapping[str, str]
    extractor: str | None
    judge: str | None = None


@dataclass(frozen=True)
class Stage:
    """``steps`` times the same ``updates``.

    Each update is of one player or, from one forward pass, of several.  A player without terms in
    this stage is passed over.
    """

    name: str
    steps: int
    #: player -> what it minimises; empty if it stays as it is
    terms: Mapping[str, tuple[Term, ...]]
    updates: tuple[tuple[str, ...], ...]
    #: player -> (use, arguments): the recipe's, overridden by the stage's, overridden by the
    #: player's section of both; ``lr`` is a Schedule over the stage's steps
    optimizers: Mapping[str, tuple[str, Mapping[str, Any]]]

    @property
    def batches(self) -> int:
        """The batches of one step: an update takes a new one if its player has seen the last."""
        count, readers = 1, set[str]()
        for players in self.updates:
            if readers & set(players):
                count, readers = count + 1, set()
            readers |= set(players)
        return count


@dataclass(frozen=True)
class Ema:
    """Exponential moving average of every network that makes images or codes."""

    decay: float
    ramp: bool


@dataclass(frozen=True)
class Log:
    """Steps between log lines, and Accelerate's trackers."""

    every: int
    trackers: tuple[str, ...]


@dataclass(frozen=True)
class Samples:
    """Steps between grids, and pictures in one."""

    every: int
    count: int


@dataclass(frozen=True)
class Checkpoint:
    """Steps between checkpoints, and how many to keep."""

    every: int
    keep: int


@dataclass(frozen=True)
class Evaluate:
    """Steps between measurements under ``benchmark``, with overrides ``set``."""

    every: int
    benchmark: str
    set: tuple[str, ...]


@dataclass(frozen=True)
class Verify:
    """The scores of a ``short`` form of the recipe under a benchmark: see ``verify.py``."""

    benchmark: str
    set: tuple[str, ...]
    short: tuple[str, ...]
    seeds: tuple[int, ...]
    expected: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Recipe:
    """One complete training run.

    ``networks`` are by role: ``generator``, usually ``discriminator``, and any others.
    """

    name: str
    seed: int
    batch: int
    accumulate: int
    precision: str
    dataset: Component
    networks: Mapping[str, Network]
    #: player -> the roles that learn together; each role is in one
    players: Mapping[str, tuple[str, ...]]
    ema: Ema | None
    augment: Component | None
    #: as the recipe has them: ``fake`` is none, ``real_logits`` may be one
    views: Mapping[str, View | Application]
    extractors: Mapping[str, Component]
    stages: tuple[Stage, ...]
    log: Log
    samples: Samples
    checkpoint: Checkpoint
    evaluate: Evaluate | None
    verify: Verify | None
    init_from: str | None
    #: distribution -> version, of every plugin that it needs beside ganzoo
    plugins: Mapping[str, str]
    tree: Node = field(compare=False, repr=False)

    def resolved(self) -> dict[str, Any]:
        """Return plain data in the recipe grammar; loading it gives an equal recipe."""
        data: dict[str, Any] = _lists(self.tree.plain())
        return data

    def to_yaml(self) -> str:
        """Write the resolved recipe, each value with its source: a file, ``--set`` or default."""
        return "\n".join(dump(self.tree)) + "\n"

    def starting_from(self, source: str) -> Recipe:
        """Return this recipe with another ``init_from``."""
        tree = self.tree.with_value(("init_from",), source)
        return replace(self, init_from=source, tree=tree)

    def method(self, player: str) -> str:
        """Return the method of a loss that this player's terms call."""
        kinds = [self.networks[role].kind for role in self.players[player]]
        return "discriminator" if "discriminator" in kinds else "generator"

    def player_of(self, role: str) -> str:
        """Return the player that a role learns with."""
        return next(player for player, roles in self.players.items() if role in roles)

    @property
    def averaged(self) -> tuple[str, ...]:
        """The roles of which an exponential moving average is kept, if any is."""
        return tuple(
            role
            for role, network in self.networks.items()
            if network.kind in ("generator", "encoder")
        )

    def origin(self, path: str) -> str:
        """Say where ``stages[0].steps`` was set: ``recipes/x.yaml:14``, ``--set`` or ``default``.

        Raises KeyError if the recipe has no such value.
        """
        steps = [int(step) if step.isdecimal() else step for step in split(path)]
        try:
            return self.tree.at_path(tuple(steps)).at.origin
        except LookupError:
            raise KeyError(path) from None

    @property
    def hash(self) -> str:
        """SHA-256 of everything that affects the training: not of names, logs and intervals."""
        data = {k: v for k, v in self.resolved().items() if k not in HARMLESS}
        return digest(data)


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
