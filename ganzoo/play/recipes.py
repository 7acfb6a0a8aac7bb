"""Recipes as forms: every value in a field made from the schema, every mistake at its place."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, RecipeError, RunError, nearest, one_of
from ganzoo.formats.json import Wrong, parse, typed
from ganzoo.formats.tree import split
from ganzoo.formats.yaml import flow as yaml_flow
from ganzoo.formats.yaml import parse as parse_yaml
from ganzoo.play.fields import LEFT_OUT, TERMS, Group, Maker, whole_schema
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_recipes
from ganzoo.recipe.flow import Made, flow, shown_word
from ganzoo.recipe.header import Header, read_header
from ganzoo.recipe.recipe import leaves, load_recipe
from ganzoo.recipe.recipe_types import Recipe

#: most changes, and letters of one
_CHANGES, _LETTERS = 300, 20_000


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
    whole = whole_schema(registry)
    maker = Maker(whole, dict(leaves(base)), changes, problems)
    groups = tuple(maker.groups(tree))
    shown = {one.path for group in groups for one in group.fields}
    result = Form(
        name,
        read_header(files[name]),
        groups,
        {path: text for path, text in changes.items() if path not in shown},
        tuple(maker.elsewhere),
        dict.fromkeys(_lists_of_terms(tree), tuple(registry.names("loss"))),
    )
    if recipe is None:
        return result
    return replace(
        result,
        lists={place: tuple(_fitting(place, recipe, registry)) for place in result.lists},
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
        if key in LEFT_OUT or not key.isidentifier():
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
    maker = Maker(whole_schema(registry), {}, {}, [])
    for path, text in sorted(changes.items(), key=lambda pair: len(split(pair[0]))):
        steps = split(path)
        if TERMS.fullmatch(path):
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
