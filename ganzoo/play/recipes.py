"""Recipes as forms: every value in a field made from the schema, every mistake at its place."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, RecipeError, RunError, nearest, one_of
from ganzoo.formats.json import Wrong, parse, typed
from ganzoo.formats.tree import split
from ganzoo.formats.yaml import flow as yaml_flow
from ganzoo.formats.yaml import parse as parse_yaml
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_recipes
from ganzoo.recipe.flow import Made, flow, shown_word
from ganzoo.recipe.header import Header, read_header
from ganzoo.recipe.recipe import leaves, load_recipe, value_text
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.recipe.schema import schema

Schema = dict[str, Any]
#: keys that the form leaves alone
_LEFT_OUT = ("recipe", "extends", "plugins", "verify", "players")
#: most changes, and letters of one
_CHANGES, _LETTERS = 300, 20_000
_TERMS = re.compile(r"stages\[\d+\]\.\w+")


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


@dataclass(frozen=True)
class TermFlow:
    """A loss in the drawing: who learns from it, and the words that it reads."""

    player: str
    weight: str
    use: str
    words: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Form:
    """A recipe with changes: its fields, its mistakes, and, if there are none, what it does."""

    name: str
    header: Header
    groups: tuple[Group, ...]
    hidden: Mapping[str, str]
    problems: tuple[str, ...]
    #: the lists of losses, each with the losses that fit there
    lists: Mapping[str, tuple[str, ...]]
    recipe: Recipe | None = None
    words: Sequence[Made] = ()
    stages: Sequence[tuple[str, int, Sequence[TermFlow]]] = ()
    changes: Sequence[str] = field(default=())


def names(registry: Registry) -> list[str]:
    """List the recipes of ganzoo and its plugins."""
    return list(shipped_recipes(registry))


def read_changes(text: str) -> dict[str, str]:
    """Read the changes that the page sent, path -> text; raises RunError if they are none."""
    try:
        limit = _CHANGES * _LETTERS
        changes: dict[str, str] = typed(dict[str, str], parse(text.encode(), "changes", limit))
    except (Wrong, UnicodeError) as wrong:
        raise RunError(f"the page sent no changes: {wrong}. Reload it.") from None
    if len(changes) > _CHANGES or any(len(value) > _LETTERS for value in changes.values()):
        raise RunError(f"more than {_CHANGES} changes, or a very long one: edit the file instead.")
    return changes


def form(name: str, changes: Mapping[str, str], registry: Registry, root: Path) -> Form:
    """Check a shipped recipe with changes, and make its form.

    Paths in the changes have to stay in ``root``.  Raises RunError if there is no such recipe.
    """
    files = shipped_recipes(registry)
    if name not in files:
        raise RunError(f"there is no recipe '{name}'{nearest(name, files)} Choose {one_of(files)}.")
    base = load_recipe(name, (), registry).resolved()
    problems = list(_outside(changes, root))
    recipe, tree = None, _with_other_parts(base, changes, registry)
    if not problems:
        try:
            recipe = load_recipe(name, overrides(changes), registry)
            tree = recipe.resolved()
        except RecipeError as error:
            problems = [_without_source(one, overrides(changes)) for one in error.problems]
    whole = _schema(registry)
    maker = _Maker(whole, dict(leaves(base)), changes, problems)
    groups = tuple(maker.groups(tree))
    shown = {one.path for group in groups for one in group.fields}
    made = Form(
        name,
        read_header(files[name]),
        groups,
        {path: text for path, text in changes.items() if path not in shown},
        tuple(maker.elsewhere),
        dict.fromkeys(_lists_of_terms(tree), tuple(registry.names("loss"))),
    )
    if recipe is None:
        return made
    return replace(
        made,
        lists={place: tuple(_fitting(place, recipe, registry)) for place in made.lists},
        recipe=recipe,
        words=flow(recipe, registry),
        stages=list(_stages(recipe, registry)),
        changes=overrides(changes),
    )


def _without_source(problem: str, overrides: Sequence[str]) -> str:
    """Leave out which ``--set`` a problem is of: the form has it beside the field."""
    for one in overrides:
        if problem.startswith(f"--set {one} "):
            return problem.removeprefix(f"--set {one} ")
    return problem


def overrides(changes: Mapping[str, str]) -> list[str]:
    """Write changes as ``--set`` takes them; whole lists come before what is in them."""
    pairs = sorted(changes.items(), key=lambda pair: len(split(pair[0])))
    return [
        f"{path.removesuffix('.use') if not text.strip() else path}={text.strip() or 'null'}"
        for path, text in pairs
    ]


def with_term(changes: Mapping[str, str], place: str, use: str, shown: Form) -> dict[str, str]:
    """Add a loss at the end of a list of terms; raises RunError if there is no such list."""
    terms = _terms(place, shown)
    if use not in shown.lists[place]:
        raise RunError(f"there is no loss '{use}' for it{nearest(use, shown.lists[place])}")
    return _with_terms(changes, place, [*terms, {"use": use}])


def without_term(changes: Mapping[str, str], path: str, shown: Form) -> dict[str, str]:
    """Take the loss at ``path``, as ``stages[0].generator[1]``, out of its list."""
    place, _, number = path.removesuffix("]").rpartition("[")
    terms = _terms(place, shown)
    if not number.isdecimal() or int(number) >= len(terms):
        raise RunError(f"there is no loss at {path}. Reload the page.")
    return _with_terms(changes, place, [*terms[: int(number)], *terms[int(number) + 1 :]])


def _terms(place: str, shown: Form) -> list[dict[str, Any]]:
    if shown.recipe is None:
        raise RunError("correct the mistakes first: they are marked in the form.")
    if place not in shown.lists:
        raise RunError(f"there are no losses at {place}. Reload the page.")
    node: Any = shown.recipe.resolved()
    for step in split(place):
        node = node[int(step) if isinstance(node, list) else step]
    return [{k: v for k, v in term.items() if v not in (None, {})} for term in node]


def _with_terms(
    changes: Mapping[str, str], place: str, terms: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    kept = {path: text for path, text in changes.items() if not path.startswith(place)}
    return kept | {place: yaml_flow(list(terms))}


def _lists_of_terms(tree: Mapping[str, Any]) -> Iterator[str]:
    for number, stage in enumerate(tree.get("stages") or ()):
        for key, value in stage.items():
            if isinstance(value, list) and all(isinstance(one, dict) for one in value):
                yield f"stages[{number}].{key}"


def _fitting(place: str, recipe: Recipe, registry: Registry) -> Iterator[str]:
    """Yield the losses that have a part for the player of a list of terms."""
    method = recipe.method(place.rpartition(".")[2])
    for name in registry.names("loss"):
        with suppress(GanzooError):
            if method in registry.get("loss", name).signature.methods:
                yield name


def _outside(changes: Mapping[str, str], root: Path) -> Iterator[str]:
    """Find changes that would make a training read outside of ``root``."""
    for path, text in changes.items():
        key = re.split(r"[.\[]", path)[0]
        if key in _LEFT_OUT or not key.isidentifier():
            yield f"{path}: this page does not change it"
            continue
        try:
            value = parse_yaml(text, path).plain()
        except RecipeError:
            value = text
        for word in _texts(value):
            for part in {word, word.partition("=")[2]}:
                if part and not part.startswith("hf://") and not _is_inside(part, root):
                    yield (
                        f"{path}: '{part}' lies outside the folder that this page was started in. "
                        "Start `ganzoo play` in a folder that holds it"
                    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.items():
            yield from _texts(list(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _is_inside(text: str, root: Path) -> bool:
    odd = text.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:|[a-z]+://", text)
    if odd or "\0" in text or ".." in re.split(r"[/\\]", text):
        return False
    try:
        return (root / text).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _with_other_parts(
    base: Mapping[str, Any], changes: Mapping[str, str], registry: Registry
) -> dict[str, Any]:
    """Return the tree with the components that were chosen, for a form of a wrong recipe."""
    tree = copy.deepcopy(dict(base))
    maker = _Maker(_schema(registry), {}, {}, [])
    for path, text in sorted(changes.items(), key=lambda pair: len(split(pair[0]))):
        steps = split(path)
        if _TERMS.fullmatch(path):
            with suppress(RecipeError, KeyError, IndexError):
                terms = parse_yaml(text, path).plain()
                if isinstance(terms, list) and all(isinstance(one, dict) for one in terms):
                    tree["stages"][int(steps[1])][steps[2]] = terms
        if steps[-1] != "use" or not text:
            continue
        node: Any = tree
        try:
            for step in steps[:-2]:
                node = node[int(step) if isinstance(node, list) else step]
            last: Any = int(steps[-2]) if isinstance(node, list) else steps[-2]
            old = node[last] if isinstance(node[last], dict) else {}
        except (KeyError, IndexError, TypeError, ValueError):
            continue
        section: dict[str, Any] = {"use": text}
        for name, one in maker.properties(steps[:-1], section).items():
            if name == "lr":  # another optimiser needs another rate
                section[name] = None
            elif name in old or "default" in one:
                section[name] = old.get(name, one.get("default"))
        node[last] = section
    return tree


def _stages(recipe: Recipe, registry: Registry) -> Iterator[tuple[str, int, Sequence[TermFlow]]]:
    for stage in recipe.stages:
        terms = []
        for player, members in stage.terms.items():
            for term in members:
                method = registry.get("loss", term.use).signature.methods[recipe.method(player)]
                words = tuple((shown_word(word, term), needed) for word, needed in method)
                by = f" of {term.judge}" if term.judge else ""
                by += f" by {term.extractor}" if term.extractor else ""
                terms.append(TermFlow(player, str(term.weight), f"{term.use}{by}", words))
        yield stage.name, stage.steps, terms


class _Maker:
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
            if split(path)[0] in _LEFT_OUT:
                continue
            paths.setdefault(_group_of(path), []).append((path, value))
        for group, members in paths.items():
            fields = tuple(self._field(path, value, tree) for path, value in members)
            use = next((one.text for one in fields if one.path == f"{group}.use"), "")
            place = group.rpartition("[")[0]
            within = place if _TERMS.fullmatch(place) else ""
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
def _schema(registry: Registry) -> Schema:
    return schema(registry)


def _group_of(path: str) -> str:
    """Return the section of a path that the form shows as one."""
    if found := re.match(r"stages\[\d+\](\.\w+\[\d+\])?", path):
        return found[0]
    steps = split(path)
    if len(steps) == 1:
        return "" if steps[0] not in ("augment", "evaluate", "ema") else steps[0]
    if steps[0] in ("networks", "views", "extractors"):
        return f"{steps[0]}.{steps[1]}"
    return str(steps[0])


def _title(group: str) -> str:
    if not group:
        return "training"
    if found := re.fullmatch(r"stages\[(\d+)\]", group):
        return f"stage {int(found[1]) + 1}"
    if found := re.fullmatch(r"stages\[(\d+)\]\.(\w+)\[(\d+)\]", group):
        return f"stage {int(found[1]) + 1}, {found[2]}, loss {int(found[3]) + 1}"
    return group.replace(".", " ")


def _text(value: Any) -> str:
    """Write a value as the form has it: nothing for null."""
    return "" if value is None else value_text(value)
