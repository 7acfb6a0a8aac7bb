"""The fields of a recipe's form, made from the JSON Schema of recipes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ganzoo.formats.tree import split
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.recipe import leaves, value_text
from ganzoo.recipe.schema import schema

Schema = dict[str, Any]
#: keys that the form leaves alone
LEFT_OUT = ("recipe", "extends", "plugins", "verify", "players")
#: the path of a list of losses
TERMS = re.compile(r"stages\[\d+\]\.\w+")


@dataclass(frozen=True)
class Field:
    """A value of a recipe in the form: what was typed, what the recipe has, what is allowed."""

    path: str
    label: str
    text: str
    base: str
    kind: str
    choices: tuple[str, ...]
    help: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Fields that belong together, under the path of their section."""

    path: str
    title: str
    use: str
    fields: tuple[Field, ...]
    problems: tuple[str, ...]
    #: the path of the list of losses that this one is in; empty if it is none
    within: str = ""

    @property
    def faults(self) -> int:
        return len(self.problems) + sum(len(one.problems) for one in self.fields)


class Maker:
    """Makes fields from the JSON Schema of recipes."""

    def __init__(
        self,
        whole: Schema,
        base: Mapping[str, Any],
        changes: Mapping[str, str],
        problems: Sequence[str],
    ):
        self._whole, self._base, self._changes = whole, base, changes
        self.elsewhere = list(problems)

    def groups(self, tree: Mapping[str, Any]) -> Iterator[Group]:
        """Yield all groups of a tree; problems without a field stay in ``elsewhere``."""
        paths: dict[str, list[tuple[str, Any]]] = {}
        for path, value in leaves(tree):
            if split(path)[0] in LEFT_OUT:
                continue
            paths.setdefault(_group_of(path), []).append((path, value))
        for group, members in paths.items():
            fields = tuple(self._field(path, value, tree) for path, value in members)
            use = next((one.text for one in fields if one.path == f"{group}.use"), "")
            place = group.rpartition("[")[0]
            within = place if TERMS.fullmatch(place) else ""
            yield Group(group, _title(group), use, fields, self._taken(group), within)

    def _field(self, path: str, value: Any, tree: Mapping[str, Any]) -> Field:
        steps = split(path)
        parent: Any = tree
        for step in steps[:-1]:
            parent = parent[int(step) if isinstance(parent, list) else step]
        one = self.properties(steps[:-1], parent if isinstance(parent, dict) else {})
        about = one.get(steps[-1], {})
        text = self._changes.get(path, _text(value))
        base = _text(self._base[path]) if path in self._base else ""
        kind, choices = self._kind(about, value)
        parts = self._object(about).get("properties", {}).get("use", {}).get("enum")
        if value is None and parts:  # a section that may be left out
            path, kind, choices = f"{path}.use", "choice", ("", *parts)
            text = self._changes.get(path, "")
        elif steps[-1] == "use" and {"type": "null"} in self._about(steps[:-1]).get("anyOf", ()):
            choices = ("", *choices)
        if choices and text not in choices:
            choices = (text, *choices)
        return Field(
            path,
            str(steps[-1]),
            text,
            base,
            kind,
            choices,
            str(about.get("description", "")).replace("``", ""),
            self._taken(path),
        )

    def _taken(self, path: str) -> tuple[str, ...]:
        """Take the problems of a path out of ``elsewhere``."""
        mark = re.compile(rf"(^|\s){re.escape(path)}: ")
        own = [text for text in self.elsewhere if mark.search(text)]
        self.elsewhere = [text for text in self.elsewhere if text not in own]
        return tuple(mark.split(text, 1)[-1] for text in own)

    def _kind(self, about: Schema, value: Any) -> tuple[str, tuple[str, ...]]:
        options = [self._resolved(one) for one in about.get("anyOf", [about])]
        enums = [one["enum"] for one in options if "enum" in one]
        if enums and not any("type" in one and one["type"] != "null" for one in options):
            return "choice", tuple(_text(word) for word in enums[0])
        if any(one.get("type") == "boolean" for one in options) and isinstance(value, bool):
            return "choice", ("true", "false")
        types = {one.get("type") for one in options}
        return ("number" if types <= {"integer", "number"} else "text"), ()

    def properties(self, steps: Sequence[str], section: Mapping[str, Any]) -> dict[str, Schema]:
        """Return the schemas of the keys inside a section, which chooses them by its ``use``."""
        node = self._whole
        for step in steps:
            node = self._inside(node, step)
        return self._keys(node, section)

    def _about(self, steps: Sequence[str]) -> Schema:
        """Return the schema of a section as it stands, with what else may be there."""
        return self.properties(steps[:-1], {}).get(steps[-1], {}) if steps else {}

    def _inside(self, node: Schema, step: str) -> Schema:
        node = self._object(node)
        if node.get("type") == "array":
            items: Schema = self._object(node.get("items", {}))
            return items
        keys = self._keys(node, {})
        if step in keys:
            return keys[step]
        others = node.get("additionalProperties")
        return self._object(others) if isinstance(others, dict) else {}

    def _keys(self, node: Schema, section: Mapping[str, Any]) -> dict[str, Schema]:
        node = self._object(node)
        if "if" in node and "else" in node:  # a view: of a network, or of a transform
            return self._keys(node["then" if "apply" in section else "else"], section)
        keys = {name: one for name, one in node.get("properties", {}).items() if one is not True}
        for case in node.get("allOf", ()):
            wanted = {
                key: one["const"]
                for key, one in case.get("if", {}).get("properties", {}).items()
                if "const" in one
            }
            if wanted and all(section.get(key) == value for key, value in wanted.items()):
                keys |= self._keys(case["then"], section)
        return keys

    def _object(self, node: Schema) -> Schema:
        """Resolve references, and choose the object or list among several options."""
        node = self._resolved(node)
        for option in node.get("anyOf", ()):
            chosen = self._resolved(option)
            if chosen.get("type") in ("object", "array"):
                return chosen
        return node

    def _resolved(self, node: Schema) -> Schema:
        while "$ref" in node:
            node = self._whole["$defs"][node["$ref"].rpartition("/")[2]]
        return node


@lru_cache(1)
def whole_schema(registry: Registry) -> Schema:
    return schema(registry)


def _group_of(path: str) -> str:
    """Return the section of a path that the form shows as one."""
    if match := re.match(r"stages\[\d+\](\.\w+\[\d+\])?", path):
        return match[0]
    steps = split(path)
    if len(steps) == 1:
        return "" if steps[0] not in ("augment", "evaluate", "ema") else steps[0]
    if steps[0] in ("networks", "views", "extractors"):
        return f"{steps[0]}.{steps[1]}"
    return str(steps[0])


def _title(group: str) -> str:
    if not group:
        return "training"
    if match := re.fullmatch(r"stages\[(\d+)\]", group):
        return f"stage {int(match[1]) + 1}"
    if match := re.fullmatch(r"stages\[(\d+)\]\.(\w+)\[(\d+)\]", group):
        return f"stage {int(match[1]) + 1}, {match[2]}, loss {int(match[3]) + 1}"
    return group.replace(".", " ")


def _text(value: Any) -> str:
    """Write a value as the form has it: nothing for null."""
    return "" if value is None else value_text(value)
