"""Check a recipe's optimizer sections, and merge them for each player of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ganzoo.errors import nearest, one_of
from ganzoo.formats.tree import Node, join
from ganzoo.formats.types import written
from ganzoo.recipe import grammar
from ganzoo.recipe.checker import Checker
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import OPTIMIZERS
from ganzoo.recipe.inheritance import survivors


def _merge(base: Section, over: Section) -> Section:
    return survivors(base, over, ("optimizer",)) | over


@dataclass(frozen=True)
class Optimizer:
    """What an optimizer section and those above it say: for all players, and for single ones."""

    common: Section = field(default_factory=dict)
    of_players: Mapping[str, Section] = field(default_factory=dict)

    def of(self, player: str) -> Section:
        """Return the whole section of one player."""
        return _merge(self.common, self.of_players.get(player, {}))


class OptimizerChecker:
    """Checks optimizer sections; ``players`` may have sections of their own in them."""

    def __init__(self, checker: Checker, players: Iterable[str]):
        self.checker, self.players = checker, list(players)
        self.problems = checker.problems

    def section(
        self, node: Node, path: str, base: Optimizer | None = None
    ) -> tuple[Node, Optimizer]:
        """Check the recipe's section, or a stage's changes to the ``base``.

        Returns it completed, and merged with the base.  If the optimiser is unknown, the arguments
        of any are accepted.
        """
        entries = self.checker.mapping(node, path, "{use: adam, lr: 2e-4, ...}")
        if entries is None:
            return replace(node, value={}), base or Optimizer()
        nodes = {player: entries[player] for player in self.players if player in entries}
        common_entries = {key: child for key, child in entries.items() if key not in nodes}
        before = base.common if base else {}
        result = self._arguments(
            replace(node, value=common_entries), path, before, is_first=base is None
        )
        if result is None:
            for player, child in nodes.items():
                self._arguments(child, join(path, player), {}, is_first=False)
            return replace(node, value={}), Optimizer()
        common = _merge(before, result)
        is_new = "use" in before and before["use"].value != common["use"].value
        of_players = {} if base is None or is_new else dict(base.of_players)
        for player, child in nodes.items():
            above = of_players.get(player, {})
            base_section = _merge(common, above)
            part = self._arguments(child, join(path, player), base_section, is_first=False) or {}
            result[player] = replace(child, value=part)
            keeps = "use" not in part or part["use"].value == base_section["use"].value
            of_players[player] = (above if keeps else {}) | part
        return replace(node, value=result), Optimizer(common, of_players)

    def _arguments(self, node: Node, path: str, base: Section, is_first: bool) -> Section | None:
        """Check a section for all players or one; return None if its ``use`` is unknown."""
        checker = self.checker
        entries = checker.mapping(node, path, "{use: adam, lr: 2e-4, ...}")
        if entries is None:
            return {}
        players = () if path.rpartition(".")[2] in self.players else self.players
        use = entries.get("use", base.get("use"))
        if use is None or not isinstance(use.value, str) or use.value not in OPTIMIZERS:
            choices = f"Available: {one_of(OPTIMIZERS)}."
            if use is not None:
                near = nearest(str(use.plain()), OPTIMIZERS)
                what = f"unknown optimizer {written(use.plain())}{near} {choices}"
                self.problems.add(use.at, join(path, "use"), what)
            elif is_first:
                what = f"missing 'use': which optimizer? {choices}"
                checker.missing(node.name_at, path, what)
            every = {name: p for table in OPTIMIZERS.values() for name, p in table.items()}
            checker.refuse_unknown(entries, ["use", "lr", *every, *players], path)
            if "lr" in entries:
                checker.schedule(entries["lr"], join(path, "lr"), grammar.LR)
            checker.table(entries, {n: p for n, p in every.items() if n in entries}, node, path, "")
            return None
        is_new = "use" not in base or use.value != base["use"].value
        kind = OPTIMIZERS[use.value]
        checker.refuse_unknown(entries, ["use", "lr", *kind, *players], path)
        section = {"use": use} if "use" in entries else {}
        if "lr" in entries:
            section["lr"] = checker.schedule(entries["lr"], join(path, "lr"), grammar.LR)
        elif is_new:
            what = f"missing 'lr', the learning rate, which optimizer '{use.value}' needs"
            checker.missing(node.name_at, path, what)
        table = {name: p for name, p in kind.items() if is_new or name in entries}
        section |= checker.table(entries, table, node, path, f"optimizer '{use.value}'")
        effective = _merge(base, section)
        values = {name: child.value for name, child in effective.items()}
        if values.get("nesterov") and (not values.get("momentum") or values.get("dampening")):
            what = "nesterov needs a momentum above 0 and a dampening of 0"
            self.problems.add(effective["nesterov"].name_at, join(path, "nesterov"), what)
        return section
