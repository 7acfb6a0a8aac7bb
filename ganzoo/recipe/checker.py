"""Check sections against tables of the grammar and components' constructors, and complete them.

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
from ganzoo.formats.tree import Mark, Node, Problem, join, line
from ganzoo.formats.types import Number, Type, written
from ganzoo.plugins.registry import Origin, Registry
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter, Signature
from ganzoo.recipe import grammar
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import Table

DEFAULT = Mark("default")


class Problems:
    """All problems of one recipe."""

    def __init__(self, items: Iterable[Problem] = ()) -> None:
        self.items = list(items)

    def add(self, at: Mark, path: str, message: str) -> None:
        self.items.append((at, line(at, path, message)))

    def raise_any(self) -> None:
        """Raise RecipeError with all problems in file order, if there are any."""
        problems = dict.fromkeys(self.items)  # once each
        sources = list(dict.fromkeys(at.source for at, _ in problems))
        lines = sorted(problems, key=lambda f: (sources.index(f[0].source), f[0].line, f[0].column))
        if lines:
            raise RecipeError([text for _, text in lines])


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
    if node.spelling and kind.wants_text(node.plain(), node.spelling.is_value):
        return replace(node, value=node.spelling.text, spelling=None)
    if node.spelling and node.spelling.problems:
        raise RecipeError(list(node.spelling.problems))
    if isinstance(node.value, dict):
        inner = {key: _as_wanted(one, kind.inside(key)) for key, one in node.value.items()}
        return replace(node, value=inner, spelling=None)
    if isinstance(node.value, list):
        items = [_as_wanted(one, kind.inside(i)) for i, one in enumerate(node.value)]
        return replace(node, value=items, spelling=None)
    return replace(node, spelling=None)


class Checker:
    """Reads sections one by one into completed nodes.

    If the tree is not ``whole``, a missing key may stand in the file that could not be read.
    """

    def __init__(self, registry: Registry, problems: Problems, whole: bool = True):
        self.registry, self.problems, self.whole = registry, problems, whole
        self.remedy = ""  # how to install the plugins that the file names
        self.origins: set[Origin] = set()

    def component(
        self,
        kind: str,
        node: Node,
        path: str,
        extra: Table | None = None,
        leave_out: Iterable[str] = (),
    ) -> Node:
        """Check a section with ``use``, its ``extra`` keys, and the constructor's arguments.

        Arguments to ``leave_out``, and those that the class calls ``later``, may be missing.
        """
        extra = extra or {}
        entries = self.mapping(node, path, "{use: NAME, ...}")
        if entries is None:
            return replace(node, value={})
        section: Section = {}
        signature = self._use(kind, entries, node, path, section)
        section |= self.table(entries, extra, node, path, f"a {kind}")
        keys = {"use", *extra}
        if kind == "loss":
            keys.add("weight")
            weight = entries.get("weight", default_node(grammar.WEIGHT.default))
            section["weight"] = self.schedule(weight, join(path, "weight"), grammar.WEIGHT)
        if signature is None:
            return replace(node, value=section)
        table = {n: p for n, p in signature.by_name.items() if n not in keys}
        self.refuse_unknown(entries, [*keys, *table], path)
        later = signature.attributes.get("later") or ()
        absent = [name for name in (*leave_out, *later) if name not in entries]
        table = {n: p for n, p in table.items() if n not in absent}
        what = f"{kind} '{section['use'].value}'"
        section |= self.table(entries, table, node, path, what)
        return replace(
            node, value={name: section[name] for name in (*entries, *section) if name in section}
        )

    def _use(
        self, kind: str, entries: Section, node: Node, path: str, section: Section
    ) -> Signature | None:
        names = self.registry.names(kind)
        if "use" not in entries:
            what = f"missing 'use': which {kind}? Available: {one_of(names)}."
            self.missing(node.name_at, path, what)
            return None
        use, path = entries["use"], join(path, "use")
        if not isinstance(use.value, str):
            what = f"expected the name of a {kind}, not {written(use.plain())}"
            self.problems.add(use.at, path, f"{what}. Available: {one_of(names)}.")
            return None
        try:
            entry = self.registry.get(kind, use.value)
            signature = entry.signature
        except RecipeError as error:
            self.problems.add(use.at, path, f"{error}{self.remedy}")
            self.remedy = ""  # say it once
            return None
        except GanzooError as error:
            self.problems.add(use.at, path, str(error))
            return None
        section["use"] = use
        self.origins.add(entry.origin)
        return signature

    def missing(self, at: Mark, path: str, message: str) -> None:
        """Note a missing key, unless it may be inherited; lists are never merged."""
        if self.whole or "[" in path:
            self.problems.add(at, path, message)

    def mapping(self, node: Node, path: str, example: str) -> Section | None:
        """Return a section's entries; for anything else note a problem with an ``example``."""
        if isinstance(node.value, dict):
            return node.value
        what = f"expected a section, {example}, not {written(node.plain())}"
        self.problems.add(node.at, path, what)
        return None

    def refuse_unknown(self, entries: Section, choices: Iterable[str], path: str) -> None:
        """Note every key that is not allowed."""
        names = list(choices)
        for key, child in entries.items():
            if key not in names:
                near = nearest(key, names)
                what = f"unknown key{near} Allowed: {one_of(names)}."
                self.problems.add(child.name_at, join(path, key), what)

    def table(
        self, entries: Section, table: Mapping[str, Parameter], node: Node, path: str, what: str
    ) -> Section:
        """Read the parameters of ``table``: as written, by default, or missing."""
        section: Section = {}
        for name, parameter in table.items():
            if name in entries:
                value = self._value(entries[name], join(path, name), parameter)
                if value is not None:
                    section[name] = value
            elif parameter.default is REQUIRED:
                message = f"missing '{name}' ({parameter.type.describe()}), which {what} needs"
                self.missing(node.name_at, path, message)
            elif parameter.default is not COMPUTED:
                section[name] = default_node(parameter.default)
        return {name: section[name] for name in (*entries, *section) if name in section}

    def _value(self, node: Node, path: str, parameter: Parameter) -> Node | None:
        try:
            node = _as_wanted(node, parameter.type)
        except RecipeError as error:
            self.problems.items += [(node.at, text) for text in error.problems]
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

    def section(self, node: Node, table: Table, path: str) -> Node:
        """Check a section of plain values against its table."""
        entries = self.mapping(node, path, f"{{{', '.join(table)}}}")
        if entries is None:
            return replace(node, value={})
        self.refuse_unknown(entries, table, path)
        return replace(node, value=self.table(entries, table, node, path, f"'{path}'"))

    def schedule(self, node: Node, path: str, parameter: Parameter) -> Node:
        """Check a number, or ``{from, to, over}``."""
        if isinstance(node.value, dict):
            rate = isinstance(parameter.type, Number) and parameter.type.gt is not None
            return self.section(node, grammar.RATE_SCHEDULE if rate else grammar.SCHEDULE, path)
        plain = node.plain()
        complaint = parameter.type.check(plain)
        if complaint:
            hint = "" if isinstance(plain, (int, float)) else "; or write {from: a, to: b, over: n}"
            self.problems.add(node.at, path, complaint + hint)
            return default_node(1.0)
        return node.like(float(plain))

    def collection(self, section: str, node: Node, kind: str, extra: Table | None = None) -> Node:
        """Check a section of components under names chosen by the file."""
        entries = self.mapping(node, section, grammar.COLLECTIONS[section]) or {}
        components = {
            name: self.component(kind, child, join(section, name), extra)
            for name, child in entries.items()
        }
        return replace(node, value=components)

    def items(self, node: Node, path: str, what: str) -> Node:
        """Return a list of ``what``s; for anything else note a problem and return an empty one."""
        if isinstance(node.value, list):
            return node
        message = f"expected a list of {what}s, not {written(node.plain())}"
        self.problems.add(node.at, path, message)
        return replace(node, value=[])
