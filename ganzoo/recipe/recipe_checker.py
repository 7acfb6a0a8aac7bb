"""Check a whole recipe section by section, and complete it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ganzoo.errors import nearest, one_of
from ganzoo.formats.json import Wrong, typed
from ganzoo.formats.tree import Node, join
from ganzoo.formats.types import written
from ganzoo.models.config import Distribution, Version
from ganzoo.plugins.registry import Registry, canonical
from ganzoo.recipe import grammar
from ganzoo.recipe.checker import Checker, Problems, default_node
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import FROM_DATASET, NETWORK_KINDS, PLAYERS
from ganzoo.recipe.optimizer import Optimizer, OptimizerChecker
from ganzoo.recipe.vocabulary import OF_IMAGES


class RecipeChecker(Checker):
    """Reads a recipe.

    Afterwards ``roles`` maps each role to its kind, ``players`` each player to its roles, and
    ``optimizers`` has the merged optimizer of every stage.
    """

    def __init__(self, registry: Registry, problems: Problems, whole: bool = True):
        super().__init__(registry, problems, whole)
        self.roles: dict[str, str] = {}
        self.players: dict[str, list[str]] = {}
        self.optimizers: list[Optimizer] = []
        #: the keys of a stage's lists of terms, and whether there may be others
        self.keys_of_terms: list[str] = []
        self.knows_players = whole

    def recipe(self, root: Node) -> Section:
        """Check the whole recipe; ``recipe()["seed"]`` and so on."""
        if not isinstance(root.value, dict):
            what = f"a recipe is a mapping of keys, not {written(root.plain())}"
            self.problems.add(root.at, "", what)
            return {}
        given: Section = root.value
        self.refuse_unknown(given, [*grammar.TOP, *grammar.SECTIONS], "")
        done = self.table(given, grammar.TOP, root, "", "the recipe")
        wanted = self._distributions(done)
        self.remedy = self.registry.missing(wanted)
        for name in grammar.REQUIRED_SECTIONS:
            if name not in given:
                self.missing(root.at, "", f"missing '{name}': {grammar.SECTIONS[name]}")
        if "dataset" in given:
            done["dataset"] = self.component("dataset", given["dataset"], "dataset")
        done |= self._networks(given)
        done |= self._players(given)
        checker = OptimizerChecker(self, self.keys_of_terms)
        optimizer = Optimizer()
        if "optimizer" in given:
            done["optimizer"], optimizer = checker.section(given["optimizer"], "optimizer")
        done["ema"] = self._ema(given.get("ema", default_node(None)))
        done["augment"] = augment = given.get("augment", default_node(None))
        if augment.value is not None:
            done["augment"] = self.component("transform", augment, "augment")
        done["views"] = self._views(given.get("views", default_node({})))
        extractors = given.get("extractors", default_node({}))
        done["extractors"] = self.named("extractors", extractors, "extractor")
        if "stages" in given:
            done["stages"] = self._stages(given["stages"], checker, optimizer)
        for name, table in grammar.PLAIN_SECTIONS.items():
            done[name] = self.section(given.get(name, default_node({})), table, name)
        for name, table in grammar.MEASURING.items():
            done[name] = node = given.get(name, default_node(None))
            if node.value is not None:
                done[name] = self.section(node, table, name)
        if "plugins" in done:
            used = {o.distribution: o.version for o in self.used if not o.built_in}
            if not self.problems.found:
                self._refuse_substitutes(root, wanted, used)
            done["plugins"] = done["plugins"].like(dict(sorted(used.items())))
        return done

    def _distributions(self, done: Section) -> dict[str, str]:
        """Check distributions and versions, which may end up in an install line."""
        wanted = {}
        for name, version in (done["plugins"].value if "plugins" in done else {}).items():
            try:
                wanted[typed(Distribution, name)] = typed(Version, version.value)
            except Wrong as error:
                self.problems.add(version.name_at, join("plugins", name), str(error))
        return wanted

    def _refuse_substitutes(
        self, root: Node, wanted: Mapping[str, str], used: Mapping[str, str]
    ) -> None:
        """Note a plugin that the file names but does not use.

        Since all its names resolve, another plugin may have claimed one of them.
        """
        names = {canonical(name) for name in used}
        for name, stated in wanted.items():
            at = root.value["plugins"].value[name].name_at
            if canonical(name) not in names and at.source == root.at.source:
                remedy = self.registry.missing({name: stated})
                what = (
                    f"no component of the recipe is of {name}. Where a name means another "
                    f"plugin's, write PLUGIN/NAME; where it is not needed, leave it out.{remedy}"
                )
                self.problems.add(at, join("plugins", name), what)

    def method(self, player: str) -> str:
        """Return the method of a loss that a player's terms call."""
        kinds = [self.roles.get(role, role) for role in self.players.get(player, [player])]
        return "discriminator" if "discriminator" in kinds else "generator"

    # -- networks and players -----------------------------------------------------------------

    def _networks(self, given: Section) -> Section:
        """Check the networks, and fill ``roles``."""
        done: Section = {}
        for role in PLAYERS:
            if role in given and not (role == "discriminator" and given[role].value is None):
                self.roles[role] = role
                done[role] = self.component(role, given[role], role, leave_out=FROM_DATASET)
        section = given.get("networks", default_node({}))
        networks = self.mapping(section, "networks", grammar.NAMED["networks"])
        self.knows_players = self.knows_players and networks is not None
        others: Section = {}
        for role, node in (networks or {}).items():
            path = join("networks", role)
            if node.value is None:  # an inherited network that this recipe does without
                continue
            self._check_name(node, role, path, "role")
            if (kind := self._kind_of(role, node, path)) is None:
                self.knows_players = False
                continue
            self.roles[role] = kind
            own = grammar.NETWORK
            checked = self.component(kind, node, path, own, FROM_DATASET)
            if isinstance(node.value, dict) and "kind" not in node.value:
                checked = replace(checked, value={"kind": default_node(kind)} | checked.value)
            others[role] = checked
        return done | ({"networks": replace(section, value=others)} if others else {})

    def _check_name(self, node: Node, name: str, path: str, what: str) -> None:
        """Note a name that no role or player can have."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name.endswith(OF_IMAGES):
            rule = (
                f"a {what}'s name is one word of small letters, digits and _, and does not end in "
                f"{one_of(OF_IMAGES)}"
            )
            self.problems.add(node.name_at, path, rule)
        elif name in grammar.RESERVED:
            self.problems.add(
                node.name_at, path, f"'{name}' has a meaning of its own; choose another name"
            )

    def _kind_of(self, role: str, node: Node, path: str) -> str | None:
        """Return a role's kind; note one that is missing or wrong."""
        inner = node.value if isinstance(node.value, dict) else {}
        kinds = one_of(NETWORK_KINDS)
        if "kind" not in inner:
            if role in NETWORK_KINDS:
                return role
            what = f"missing 'kind': what is '{role}'? One of: {kinds}."
            self.missing(node.name_at, path, what)
            return None
        kind = inner["kind"].value
        if kind not in NETWORK_KINDS:
            near = nearest(str(kind), NETWORK_KINDS)
            what = f"there is no kind {written(inner['kind'].plain())}{near} One of: {kinds}."
            self.problems.add(inner["kind"].at, join(path, "kind"), what)
            return None
        return str(kind)

    def _players(self, given: Section) -> Section:
        """Check who learns together, and fill ``players`` and ``keys_of_terms``."""
        claims: dict[str, str] = {}  # role -> player
        section = given.get("players")
        stated = (
            self.mapping(section, "players", "{generator: [generator, encoder]}") if section else {}
        )
        for player, node in (stated or {}).items():
            path = join("players", player)
            self._check_name(node, player, path, "player")
            for i, item in enumerate(self.listed(node, path, "role").value):
                self._claim(player, item, join(path, i), claims)
            if player in self.roles and claims.get(player) != player:
                whose = f"it is of player '{claims[player]}'" if player in claims else "add it"
                what = f"player '{player}' lacks the role of its own name: {whose}"
                self.problems.add(node.name_at, path, what)
        for role in self.roles:
            self.players.setdefault(claims.get(role, role), []).append(role)
        extra = [role for role in PLAYERS if claims.get(role, role) == role]
        self.keys_of_terms = list(dict.fromkeys([*extra, *self.players]))
        return {"players": section} if section is not None and stated else {}

    def _claim(self, player: str, item: Node, path: str, claims: dict[str, str]) -> None:
        role = item.value
        if not isinstance(role, str) or role not in self.roles:
            if self.knows_players:
                near = nearest(str(role), self.roles)
                what = f"there is no role {written(item.plain())}{near}"
                self.problems.add(item.at, path, f"{what} Roles: {one_of(self.roles)}.")
        elif role in claims:
            what = f"player '{claims[role]}' has the role '{role}' already; a role is in one player"
            self.problems.add(item.at, path, what)
        else:
            claims[role] = player

    # -- other sections -----------------------------------------------------------------------

    def _ema(self, node: Node) -> Node:
        if node.value is None:
            return node
        if isinstance(node.value, (int, float)):
            node = replace(node, value={"decay": replace(node, key=node.name_at)})
        return self.section(node, grammar.EMA, "ema")

    def _views(self, node: Node) -> Node:
        given = self.mapping(node, "views", grammar.NAMED["views"]) or {}
        views: Section = {}
        for name, child in given.items():
            path = join("views", name)
            inner = child.value if isinstance(child.value, dict) else {}
            if "apply" not in inner:
                views[name] = self.component("transform", child, path, grammar.VIEW)
            elif "use" in inner:
                what = "a view has 'use', a transform, or 'apply', a network; not both"
                self.problems.add(inner["apply"].name_at, path, what)
                views[name] = replace(child, value={})
            else:
                views[name] = self.section(child, grammar.APPLICATION, path)
        return replace(node, value=views)

    # -- stages -------------------------------------------------------------------------------

    def _stages(self, node: Node, checker: OptimizerChecker, optimizer: Optimizer) -> Node:
        done = []
        for i, child in enumerate(self.listed(node, "stages", "stage").value):
            path = join("stages", i)
            stage = self._stage(child, path)
            own = optimizer
            if isinstance(child.value, dict) and "optimizer" in child.value:
                stage["optimizer"], own = checker.section(
                    child.value["optimizer"], join(path, "optimizer"), optimizer
                )
            done.append(replace(child, value=stage))
            self.optimizers.append(own)
        if not done and isinstance(node.value, list):
            self.problems.add(node.at, "stages", "a recipe needs a stage")
        return replace(node, value=done)

    def _stage(self, node: Node, path: str) -> Section:
        given = self.mapping(node, path, "{name: ..., steps: ..., generator: [...]}")
        if given is None:
            return {}
        self._refuse_unknown_of_stage(given, path)
        done = self.table(given, grammar.STAGE, node, path, "a stage")
        usual = set(self.keys_of_terms) == set(PLAYERS) and self.knows_players
        if usual and "generator" not in given:
            what = "missing 'generator': the list of terms that it minimises"
            self.problems.add(node.at, path, what)
        for player in self.keys_of_terms:
            inner = join(path, player)
            terms = self.listed(given.get(player, default_node([])), inner, "term")
            done[player] = replace(
                terms,
                value=[
                    self.component("loss", term, join(inner, i), grammar.TERM)
                    for i, term in enumerate(terms.value)
                ],
            )
        trained = [player for player in self.keys_of_terms if done[player].value]
        if not trained and self.knows_players and not (usual and "generator" not in given):
            self.problems.add(node.at, path, "a stage needs at least one term")
        if "updates" in done:
            self._check_updates(done, trained, path)
            del done["discriminator_steps"]
        return done

    def _refuse_unknown_of_stage(self, given: Section, path: str) -> None:
        allowed = [*grammar.STAGE, "optimizer", *self.keys_of_terms]
        for key, child in given.items():
            whose = next((p for p, roles in self.players.items() if key in roles), None)
            if key not in allowed and whose is not None:
                what = f"'{key}' learns with player '{whose}': give the terms to that player"
                self.problems.add(child.name_at, join(path, key), what)
            elif self.knows_players or key in allowed:
                self.refuse_unknown({key: child}, allowed, path)

    def _check_updates(self, stage: Section, trained: list[str], path: str) -> None:
        """Note updates of players that there are not, or that have nothing to minimise."""
        every = stage.get("discriminator_steps")
        if every is not None and every.value != 1:
            what = "'updates' says it already; leave this out"
            self.problems.add(every.name_at, join(path, "discriminator_steps"), what)
        node, path = stage["updates"], join(path, "updates")
        seen = set()
        for inner, item in _players_of(node, path):
            player = item.value
            seen.add(player)
            if player not in self.keys_of_terms and self.knows_players:
                near = nearest(player, self.keys_of_terms)
                what = f"there is no player '{player}'{near} Players: {one_of(self.keys_of_terms)}."
                self.problems.add(item.at, inner, what)
            elif player not in trained and self.knows_players:
                what = f"player '{player}' has no terms in this stage"
                self.problems.add(item.at, inner, what)
        for i, item in enumerate(node.value):
            group = item.plain() if isinstance(item.value, list) else [item.value]
            if not group or len(set(group)) < len(group):
                what = "players of one update are different ones, and at least one"
                self.problems.add(item.at, join(path, i), what)
        for player in trained:
            if player not in seen:
                what = f"player '{player}' has terms in this stage, and no update here"
                self.problems.add(node.at, path, what)


def _players_of(updates: Node, path: str) -> Iterator[tuple[str, Node]]:
    for i, item in enumerate(updates.value):
        if isinstance(item.value, list):
            yield from ((join(join(path, i), j), one) for j, one in enumerate(item.value))
        else:
            yield join(path, i), item
