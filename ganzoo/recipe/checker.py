"""Check a recipe against its grammar and its components' constructors, and complete it.

Problems are collected, not raised.  Faulty parts are left out of the result, so that the rest can
be checked too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, RecipeError, nearest, one_of
from ganzoo.formats.json import Wrong, typed
from ganzoo.formats.tree import Mark, Node, Problem, join, line
from ganzoo.formats.types import Number, Type, written
from ganzoo.models.config import Distribution, Version
from ganzoo.plugins.registry import Origin, Registry, canonical
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter, Signature
from ganzoo.recipe import grammar
from ganzoo.recipe.grammar import FROM_DATASET, OPTIMIZERS, PLAYERS, Table

DEFAULT = Mark("default")
Entries = dict[str, Node]


class Problems:
    """All problems of one recipe."""

    def __init__(self, found: Iterable[Problem] = ()) -> None:
        self.found = list(found)

    def add(self, at: Mark, path: str, message: str) -> None:
        self.found.append((at, line(at, path, message)))

    def raise_any(self) -> None:
        """Raise RecipeError with all problems in file order, if there are any."""
        found = dict.fromkeys(self.found)  # once each
        sources = list(dict.fromkeys(at.source for at, _ in found))
        ordered = sorted(found, key=lambda f: (sources.index(f[0].source), f[0].line, f[0].column))
        if ordered:
            raise RecipeError([text for _, text in ordered])


def default_node(value: Any) -> Node:
    """Wrap a default value in a node."""
    return Node(None, DEFAULT).like(value)


def signature_of(registry: Registry, kind: str, node: Node | None) -> Signature | None:
    """Return the signature of the component that a section uses, if it can be read."""
    if node is None or not isinstance(node.value, dict) or "use" not in node.value:
        return None
    try:
        return registry.get(kind, node.value["use"].value).signature
    except GanzooError:
        return None


def located(node: Node) -> str:
    """Resolve a path in a node against the folder that it is relative to."""
    with suppress(RuntimeError):  # no such user: a file may be called ~x
        return str(Path(node.at.folder) / Path(node.value).expanduser())
    return str(Path(node.at.folder) / node.value)


def _as_wanted(node: Node, kind: Type) -> Node:
    """Keep a ``--set`` value as text if text is wanted; raises RecipeError if it is not YAML."""
    if node.said and kind.wants_text(node.plain(), node.said.is_value):
        return replace(node, value=node.said.text, said=None)
    if node.said and node.said.problems:
        raise RecipeError(list(node.said.problems))
    if isinstance(node.value, dict):
        inner = {key: _as_wanted(one, kind.inside(key)) for key, one in node.value.items()}
        return replace(node, value=inner, said=None)
    if isinstance(node.value, list):
        items = [_as_wanted(one, kind.inside(i)) for i, one in enumerate(node.value)]
        return replace(node, value=items, said=None)
    return replace(node, said=None)


def overlay(base: Node, over: Node) -> Node:
    """Merge one optimizer section over another, key by key; start over if ``use`` changes."""
    kept: Entries = base.value
    if "use" in over.value and over.value["use"].value != kept["use"].value:
        kept = {}
    players = {
        player: overlay(replace(base, value=kept | kept[player].value), over.value[player])
        for player in PLAYERS
        if player in kept and player in over.value
    }
    return replace(base, value=kept | over.value | players)


class Checker:
    """Reads a recipe's sections one by one into completed nodes.

    If the tree is not ``whole``, a missing key may stand in the file that could not be read.
    """

    def __init__(self, registry: Registry, problems: Problems, whole: bool = True):
        self.registry, self.problems, self.whole = registry, problems, whole
        self._missing = ""  # how to install the plugins that the recipe names
        self._used: set[Origin] = set()

    def recipe(self, root: Node) -> Entries:
        """Check the whole recipe; ``recipe()["seed"]`` and so on."""
        if not isinstance(root.value, dict):
            what = f"a recipe is a mapping of keys, not {written(root.plain())}"
            self.problems.add(root.at, "", what)
            return {}
        given: Entries = root.value
        self.refuse_unknown(given, [*grammar.TOP, *grammar.SECTIONS], "")
        done = self.table(given, grammar.TOP, root, "", "the recipe")
        wanted = self._distributions(done)
        self._missing = self.registry.missing(wanted)
        for name in grammar.REQUIRED_SECTIONS:
            if name not in given:
                self.missing(root.at, "", f"missing '{name}': {grammar.SECTIONS[name]}")
        for name in ("dataset", *PLAYERS):
            if name in given and not (name == "discriminator" and given[name].value is None):
                leave_out = FROM_DATASET if name in PLAYERS else ()
                done[name] = self.component(name, given[name], name, leave_out=leave_out)
        if "optimizer" in given:
            done["optimizer"] = self._optimizer(given["optimizer"], "optimizer")
        done["ema"] = self._ema(given.get("ema", default_node(None)))
        done["augment"] = default_node(None)
        if "augment" in given:
            done["augment"] = augment = given["augment"]
            if augment.value is not None:
                done["augment"] = self.component("transform", augment, "augment")
        for name, kind, own in (
            ("views", "transform", grammar.VIEW),
            ("extractors", "extractor", None),
        ):
            done[name] = self.named(name, given.get(name, default_node({})), kind, own)
        if "stages" in given:
            done["stages"] = self.listed(given["stages"], "stages", "stage")
            stages = enumerate(done["stages"].value)
            stages_done = [self._stage(n, join("stages", i), done) for i, n in stages]
            done["stages"] = replace(done["stages"], value=stages_done)
            if not stages_done and isinstance(given["stages"].value, list):
                self.problems.add(given["stages"].at, "stages", "a recipe needs a stage")
        for name, table in grammar.PLAIN_SECTIONS.items():
            done[name] = self._section(given.get(name, default_node({})), table, name)
        for name, table in grammar.MEASURING.items():
            done[name] = node = given.get(name, default_node(None))
            if node.value is not None:
                done[name] = self._section(node, table, name)
        if "plugins" in done:
            used = {o.distribution: o.version for o in self._used if not o.built_in}
            if not self.problems.found:
                self._refuse_substitutes(root, wanted, used)
            done["plugins"] = done["plugins"].like(dict(sorted(used.items())))
        return done

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
                told = self.registry.missing({name: stated})
                what = (
                    f"no component of the recipe is of {name}. Where a name means another "
                    f"plugin's, write PLUGIN/NAME; where it is not needed, leave it out.{told}"
                )
                self.problems.add(at, join("plugins", name), what)

    def _distributions(self, done: Entries) -> dict[str, str]:
        """Check distributions and versions, which may end up in an install line."""
        wanted = {}
        for name, version in (done["plugins"].value if "plugins" in done else {}).items():
            try:
                wanted[typed(Distribution, name)] = typed(Version, version.value)
            except Wrong as error:
                self.problems.add(version.name_at, join("plugins", name), str(error))
        return wanted

    def component(
        self,
        kind: str,
        node: Node,
        path: str,
        own: Table | None = None,
        leave_out: Iterable[str] = (),
    ) -> Node:
        """Check a section with ``use``, its ``own`` keys, and the constructor's arguments.

        Arguments to ``leave_out``, and those that the class calls ``later``, may be missing.
        """
        own = own or {}
        given = self.mapping(node, path, "{use: NAME, ...}")
        if given is None:
            return replace(node, value={})
        done: Entries = {}
        signature = self._use(kind, given, node, path, done)
        done |= self.table(given, own, node, path, f"a {kind}")
        reserved = {"use", *own}
        if kind == "loss":
            reserved.add("weight")
            weight = given.get("weight", default_node(grammar.WEIGHT.default))
            done["weight"] = self._schedule(weight, join(path, "weight"), grammar.WEIGHT)
        if signature is None:
            return replace(node, value=done)
        table = {n: p for n, p in signature.by_name.items() if n not in reserved}
        self.refuse_unknown(given, [*reserved, *table], path)
        later = signature.attributes.get("later") or ()
        absent = [name for name in (*leave_out, *later) if name not in given]
        table = {n: p for n, p in table.items() if n not in absent}
        what = f"{kind} '{done['use'].value}'"
        done |= self.table(given, table, node, path, what)
        return replace(node, value={name: done[name] for name in (*given, *done) if name in done})

    def _use(
        self, kind: str, given: Entries, node: Node, path: str, done: Entries
    ) -> Signature | None:
        names = self.registry.names(kind)
        if "use" not in given:
            what = f"missing 'use': which {kind}? Available: {one_of(names)}."
            self.missing(node.name_at, path, what)
            return None
        use, path = given["use"], join(path, "use")
        if not isinstance(use.value, str):
            what = f"expected the name of a {kind}, not {written(use.plain())}"
            self.problems.add(use.at, path, f"{what}. Available: {one_of(names)}.")
            return None
        try:
            entry = self.registry.get(kind, use.value)
            signature = entry.signature
        except RecipeError as error:
            self.problems.add(use.at, path, f"{error}{self._missing}")
            self._missing = ""  # say it once
            return None
        except GanzooError as error:
            self.problems.add(use.at, path, str(error))
            return None
        done["use"] = use
        self._used.add(entry.origin)
        return signature

    def missing(self, at: Mark, path: str, message: str) -> None:
        """Note a missing key, unless it may be inherited; lists are never merged."""
        if self.whole or "[" in path:
            self.problems.add(at, path, message)

    def mapping(self, node: Node, path: str, example: str) -> Entries | None:
        """Return a section's entries; for anything else note a problem with an ``example``."""
        if isinstance(node.value, dict):
            return node.value
        what = f"expected a section, {example}, not {written(node.plain())}"
        self.problems.add(node.at, path, what)
        return None

    def refuse_unknown(self, given: Entries, allowed: Iterable[str], path: str) -> None:
        """Note every key that is not allowed."""
        names = list(allowed)
        for key, child in given.items():
            if key not in names:
                near = nearest(key, names)
                what = f"unknown key{near} Allowed: {one_of(names)}."
                self.problems.add(child.name_at, join(path, key), what)

    def table(
        self, given: Entries, table: Mapping[str, Parameter], node: Node, path: str, what: str
    ) -> Entries:
        """Read the parameters of ``table``: as written, by default, or missing."""
        done: Entries = {}
        for name, parameter in table.items():
            if name in given:
                value = self._value(given[name], join(path, name), parameter)
                if value is not None:
                    done[name] = value
            elif parameter.default is REQUIRED:
                message = f"missing '{name}' ({parameter.type.describe()}), which {what} needs"
                self.missing(node.name_at, path, message)
            elif parameter.default is not COMPUTED:
                done[name] = default_node(parameter.default)
        return {name: done[name] for name in (*given, *done) if name in done}

    def _value(self, node: Node, path: str, parameter: Parameter) -> Node | None:
        try:
            node = _as_wanted(node, parameter.type)
        except RecipeError as error:
            self.problems.found += [(node.at, text) for text in error.problems]
            return None
        plain = node.plain()
        wrong = list(parameter.type.problems(plain))
        for where, complaint in wrong:
            inner = path
            for step in where:
                inner = join(inner, step)
            self.problems.add(node.at_path(where).at, inner, complaint)
        if wrong:
            return None
        for where in parameter.type.paths(plain):
            node = node.with_value(where, located(node.at_path(where)))
        return node.like(parameter.type.convert(node.plain()))

    def _section(self, node: Node, table: Table, path: str) -> Node:
        given = self.mapping(node, path, f"{{{', '.join(table)}}}")
        if given is None:
            return replace(node, value={})
        self.refuse_unknown(given, table, path)
        return replace(node, value=self.table(given, table, node, path, f"'{path}'"))

    def _schedule(self, node: Node, path: str, parameter: Parameter) -> Node:
        """Check a number, or ``{from, to, over}``."""
        if isinstance(node.value, dict):
            rate = isinstance(parameter.type, Number) and parameter.type.gt is not None
            return self._section(node, grammar.RATE_SCHEDULE if rate else grammar.SCHEDULE, path)
        plain = node.plain()
        complaint = parameter.type.check(plain)
        if complaint:
            hint = "" if isinstance(plain, (int, float)) else "; or write {from: a, to: b, over: n}"
            self.problems.add(node.at, path, complaint + hint)
            return default_node(1.0)
        return node.like(float(plain))

    def _optimizer(self, node: Node, path: str, base: Node | None = None) -> Node:
        """Check the recipe's optimizer, or the changes to a ``base`` by a stage or player.

        If the optimiser is unknown, the arguments of any are accepted.
        """
        given = self.mapping(node, path, "{use: adam, lr: 2e-4, ...}")
        if given is None:
            return replace(node, value={})
        inherited = base.value.get("use") if base else None
        use = given.get("use", inherited)
        players = () if path.rpartition(".")[2] in PLAYERS else PLAYERS
        if use is None or not isinstance(use.value, str) or use.value not in OPTIMIZERS:
            if use is not None or base is None:
                self._unknown_optimizer(use, node, path)
            return self._parts_of_optimizer(given, node, path, players)
        is_new = inherited is None or use.value != inherited.value
        kind = OPTIMIZERS[use.value]
        self.refuse_unknown(given, ["use", "lr", *kind, *players], path)
        done = {"use": use} if "use" in given else {}
        if "lr" in given:
            done["lr"] = self._schedule(given["lr"], join(path, "lr"), grammar.LR)
        elif is_new:
            what = f"missing 'lr', the learning rate, which optimizer '{use.value}' needs"
            self.missing(node.name_at, path, what)
        table = {name: p for name, p in kind.items() if is_new or name in given}
        done |= self.table(given, table, node, path, f"optimizer '{use.value}'")
        inherited_all = {"use": use} | ({} if is_new or base is None else base.value) | done
        for player in players:
            if player in given:
                above = replace(node, value=inherited_all)
                if not is_new and base is not None and player in base.value:
                    above = overlay(above, base.value[player])
                done[player] = self._optimizer(given[player], join(path, player), above)
        self._check_nesterov(inherited_all, path)
        return replace(node, value=done)

    def _parts_of_optimizer(
        self, given: Entries, node: Node, path: str, players: Iterable[str]
    ) -> Node:
        """Check as much of an optimizer as possible when its ``use`` is unknown."""
        every = {name: p for table in OPTIMIZERS.values() for name, p in table.items()}
        self.refuse_unknown(given, ["use", "lr", *every, *players], path)
        if "lr" in given:
            self._schedule(given["lr"], join(path, "lr"), grammar.LR)
        self.table(given, {n: p for n, p in every.items() if n in given}, node, path, "")
        for player in players:
            if player in given:
                self._optimizer(given[player], join(path, player), default_node({}))
        return replace(node, value={})

    def _check_nesterov(self, given: Entries, path: str) -> None:
        values = {name: given[name].value for name in given}
        if values.get("nesterov") and (not values.get("momentum") or values.get("dampening")):
            what = "nesterov needs a momentum above 0 and a dampening of 0"
            self.problems.add(given["nesterov"].name_at, join(path, "nesterov"), what)

    def _unknown_optimizer(self, use: Node | None, node: Node, path: str) -> None:
        there_is = f"Available: {one_of(OPTIMIZERS)}."
        if use is None:
            self.missing(node.name_at, path, f"missing 'use': which optimizer? {there_is}")
        else:
            name = use.plain()
            near = nearest(str(name), OPTIMIZERS)
            what = f"unknown optimizer {written(name)}{near} {there_is}"
            self.problems.add(use.at, join(path, "use"), what)

    def _ema(self, node: Node) -> Node:
        if node.value is None:
            return node
        if isinstance(node.value, (int, float)):
            node = replace(node, value={"decay": replace(node, key=node.name_at)})
        return self._section(node, grammar.EMA, "ema")

    def named(self, section: str, node: Node, kind: str, own: Table | None = None) -> Node:
        """Check a section of components under names chosen by the file."""
        given = self.mapping(node, section, grammar.NAMED[section]) or {}
        found = {
            name: self.component(kind, child, join(section, name), own)
            for name, child in given.items()
        }
        return replace(node, value=found)

    def listed(self, node: Node, path: str, what: str) -> Node:
        """Return a list of ``what``s; for anything else note a problem and return an empty one."""
        if isinstance(node.value, list):
            return node
        message = f"expected a list of {what}s, not {written(node.plain())}"
        self.problems.add(node.at, path, message)
        return replace(node, value=[])

    def _stage(self, node: Node, path: str, recipe: Entries) -> Node:
        given = self.mapping(node, path, "{name: ..., steps: ..., generator: [...]}")
        if given is None:
            return replace(node, value={})
        self.refuse_unknown(given, [*grammar.STAGE, *grammar.STAGE_SECTIONS], path)
        done = self.table(given, grammar.STAGE, node, path, "a stage")
        if "generator" not in given:
            what = "missing 'generator': the list of terms that it minimises"
            self.problems.add(node.at, path, what)
        for player in PLAYERS:
            inner = join(path, player)
            terms = self.listed(given.get(player, default_node([])), inner, "term")
            done[player] = replace(
                terms,
                value=[
                    self.component("loss", term, join(inner, i), grammar.TERM)
                    for i, term in enumerate(terms.value)
                ],
            )
        if "generator" in given and not any(done[player].value for player in PLAYERS):
            self.problems.add(node.at, path, "a stage needs at least one term")
        if "optimizer" in given:
            base = recipe.get("optimizer", default_node({}))
            inner = join(path, "optimizer")
            done["optimizer"] = self._optimizer(given["optimizer"], inner, base)
        return replace(node, value=done)
