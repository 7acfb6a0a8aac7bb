"""Check a whole recipe section by section, and complete it."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
        entries: Section = root.value
        self.refuse_unknown(entries, [*grammar.TOP, *grammar.SECTIONS], "")
        sections = self.table(entries, grammar.TOP, root, "", "the recipe")
        distributions = self._distributions(sections)
        self.remedy = self.registry.install_hint(distributions)
        for name in grammar.REQUIRED_SECTIONS:
            if name not in entries:
                self.missing(root.at, "", f"missing '{name}': {grammar.SECTIONS[name]}")
        if "dataset" in entries:
            sections["dataset"] = self.component("dataset", entries["dataset"], "dataset")
        sections |= self._networks(entries)
        sections |= self._players(entries)
        checker = OptimizerChecker(self, self.keys_of_terms)
        optimizer = Optimizer()
        if "optimizer" in entries:
            sections["optimizer"], optimizer = checker.section(entries["optimizer"], "optimizer")
        sections["ema"] = ema = entries.get("ema", default_node(None))
        if isinstance(ema.value, (int, float)):
            ema = replace(ema, value={"decay": replace(ema, key=ema.name_at)})
        if ema.value is not None:
            sections["ema"] = self.section(ema, grammar.EMA, "ema")
        sections["augment"] = augment = entries.get("augment", default_node(None))
        if augment.value is not None:
            sections["augment"] = self.component("transform", augment, "augment")
        sections["views"] = self._views(entries.get("views", default_node({})))
        extractors = entries.get("extractors", default_node({}))
        sections["extractors"] = self.collection("extractors", extractors, "extractor")
        if "stages" in entries:
            sections["stages"] = self._stages(entries["stages"], checker, optimizer)
        for name, table in grammar.PLAIN_SECTIONS.items():
            sections[name] = self.section(entries.get(name, default_node({})), table, name)
        for name, table in grammar.MEASURING.items():
            sections[name] = node = entries.get(name, default_node(None))
            if node.value is not None:
                sections[name] = self.section(node, table, name)
        if "plugins" in sections:
            needs = {o.distribution: o.version for o in self.origins if not o.built_in}
            if not self.problems.items:
                self._refuse_substitutes(root, distributions, needs)
            sections["plugins"] = sections["plugins"].like(dict(sorted(needs.items())))
        return sections

    def _distributions(self, sections: Section) -> dict[str, str]:
        """Check distributions and versions, which may end up in an install line."""
        versions = {}
        for name, version in (sections["plugins"].value if "plugins" in sections else {}).items():
            try:
                versions[typed(Distribution, name)] = typed(Version, version.value)
            except Wrong as error:
                self.problems.add(version.name_at, join("plugins", name), str(error))
        return versions

    def _refuse_substitutes(
        self, root: Node, distributions: Mapping[str, str], needs: Mapping[str, str]
    ) -> None:
        """Note a plugin that the file names but does not use.

        Since all its names resolve, another plugin may have claimed one of them.
        """
        names = {canonical(name) for name in needs}
        for name, version in distributions.items():
            at = root.value["plugins"].value[name].name_at
            if canonical(name) not in names and at.source == root.at.source:
                remedy = self.registry.install_hint({name: version})
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

    def _networks(self, sections: Section) -> Section:
        """Check the networks, and fill ``roles``."""
        players: Section = {}
        for role in PLAYERS:
            if role in sections and not (role == "discriminator" and sections[role].value is None):
                self.roles[role] = role
                players[role] = self.component(role, sections[role], role, leave_out=FROM_DATASET)
        section = sections.get("networks", default_node({}))
        networks = self.mapping(section, "networks", grammar.COLLECTIONS["networks"])
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
            table = grammar.NETWORK
            network = self.component(kind, node, path, table, FROM_DATASET)
            if isinstance(node.value, dict) and "kind" not in node.value:
                network = replace(network, value={"kind": default_node(kind)} | network.value)
            others[role] = network
        return players | ({"networks": replace(section, value=others)} if others else {})

    def _check_name(self, node: Node, name: str, path: str, what: str) -> None:
        """Note a name that no role or player can have."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name.endswith(OF_IMAGES):
            rule = (
                f"a {what}'s name is one word of small letters, digits and _, and does not end in "
                f"{one_of(OF_IMAGES)}"
            )
            self.problems.add(node.name_at, path, rule)
        elif name in grammar.KEYWORDS:
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

    def _players(self, sections: Section) -> Section:
        """Check who learns together, and fill ``players`` and ``keys_of_terms``."""
        claims: dict[str, str] = {}  # role -> player
        section = sections.get("players")
        groups = (
            self.mapping(section, "players", "{generator: [generator, encoder]}") if section else {}
        )
        for player, node in (groups or {}).items():
            path = join("players", player)
            self._check_name(node, player, path, "player")
            for i, item in enumerate(self.items(node, path, "role").value):
                role, inner = item.value, join(path, i)
                if not isinstance(role, str) or role not in self.roles:
                    if self.knows_players:
                        what = f"there is no role {written(item.plain())}"
                        near = nearest(str(role), self.roles)
                        what = f"{what}{near} Roles: {one_of(self.roles)}."
                        self.problems.add(item.at, inner, what)
                elif role in claims:
                    what = f"player '{claims[role]}' has the role '{role}' already"
                    self.problems.add(item.at, inner, f"{what}; a role is in one player")
                else:
                    claims[role] = player
            if player in self.roles and claims.get(player) != player:
                whose = f"it is of player '{claims[player]}'" if player in claims else "add it"
                what = f"player '{player}' lacks the role of its own name: {whose}"
                self.problems.add(node.name_at, path, what)
        for role in self.roles:
            self.players.setdefault(claims.get(role, role), []).append(role)
        extra = [role for role in PLAYERS if claims.get(role, role) == role]
        self.keys_of_terms = list(dict.fromkeys([*extra, *self.players]))
        return {"players": section} if section is not None and groups else {}

    # -- other sections -----------------------------------------------------------------------

    def _views(self, node: Node) -> Node:
        entries = self.mapping(node, "views", grammar.COLLECTIONS["views"]) or {}
        views: Section = {}
        for name, child in entries.items():
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
        stages = []
        for i, child in enumerate(self.items(node, "stages", "stage").value):
            path = join("stages", i)
            stage = self._stage(child, path)
            optimizer_of_stage = optimizer
            if isinstance(child.value, dict) and "optimizer" in child.value:
                stage["optimizer"], optimizer_of_stage = checker.section(
                    child.value["optimizer"], join(path, "optimizer"), optimizer
                )
            stages.append(replace(child, value=stage))
            self.optimizers.append(optimizer_of_stage)
        if not stages and isinstance(node.value, list):
            self.problems.add(node.at, "stages", "a recipe needs a stage")
        return replace(node, value=stages)

    def _stage(self, node: Node, path: str) -> Section:
        entries = self.mapping(node, path, "{name: ..., steps: ..., generator: [...]}")
        if entries is None:
            return {}
        names = [*grammar.STAGE, "optimizer", *self.keys_of_terms]
        for key, child in entries.items():
            whose = next((p for p, roles in self.players.items() if key in roles), None)
            if key not in names and whose is not None:
                what = f"'{key}' learns with player '{whose}': give the terms to that player"
                self.problems.add(child.name_at, join(path, key), what)
            elif self.knows_players or key in names:
                self.refuse_unknown({key: child}, names, path)
        section = self.table(entries, grammar.STAGE, node, path, "a stage")
        usual = set(self.keys_of_terms) == set(PLAYERS) and self.knows_players
        if usual and "generator" not in entries:
            what = "missing 'generator': the list of terms that it minimises"
            self.problems.add(node.at, path, what)
        for player in self.keys_of_terms:
            inner = join(path, player)
            terms = self.items(entries.get(player, default_node([])), inner, "term")
            section[player] = replace(
                terms,
                value=[
                    self.component("loss", term, join(inner, i), grammar.TERM)
                    for i, term in enumerate(terms.value)
                ],
            )
        learners = [player for player in self.keys_of_terms if section[player].value]
        if not learners and self.knows_players and not (usual and "generator" not in entries):
            self.problems.add(node.at, path, "a stage needs at least one term")
        if "updates" in section:
            self._check_updates(section, learners, path)
            del section["discriminator_steps"]
        return section

    def _check_updates(self, stage: Section, learners: list[str], path: str) -> None:
        """Note updates of players that there are not, or that have nothing to minimise."""
        every = stage.get("discriminator_steps")
        if every is not None and every.value != 1:
            what = "'updates' says it already; leave this out"
            self.problems.add(every.name_at, join(path, "discriminator_steps"), what)
        node, path = stage["updates"], join(path, "updates")
        turns = set()
        for i, update in enumerate(node.value):
            inner = join(path, i)
            places = {inner: update}
            if isinstance(update.value, list):
                places = {join(inner, j): item for j, item in enumerate(update.value)}
            group = [item.value for item in places.values()]
            turns.update(group)
            for where, item in places.items():
                player = item.value
                if player not in self.keys_of_terms and self.knows_players:
                    near = nearest(player, self.keys_of_terms)
                    every_player = one_of(self.keys_of_terms)
                    what = f"there is no player '{player}'{near} Players: {every_player}."
                    self.problems.add(item.at, where, what)
                elif player not in learners and self.knows_players:
                    what = f"player '{player}' has no terms in this stage"
                    self.problems.add(item.at, where, what)
            if not group or len(set(group)) < len(group):
                what = "players of one update are different ones, and at least one"
                self.problems.add(update.at, inner, what)
        for player in learners:
            if player not in turns:
                what = f"player '{player}' has terms in this stage, and no update here"
                self.problems.add(node.at, path, what)
