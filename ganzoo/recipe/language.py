"""Describe every key of a recipe: its meaning, allowed values, default and an example.

It all comes from ``grammar.py`` and from components' constructors, which the checker and the JSON
Schema read too.  ``keys`` serves documentation, ``explain`` answers about one key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ganzoo.errors import GanzooError, RecipeError, nearest, one_of
from ganzoo.formats.yaml import flow
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter
from ganzoo.recipe import grammar
from ganzoo.recipe.grammar import NETWORK_KINDS


@dataclass(frozen=True)
class Key:
    """One key.

    In ``path``, ``[]`` stands for any item of a list and ``NAME`` for a name chosen by the recipe,
    as in ``stages[].generator[].weight`` and ``views.NAME.of``.  ``type`` is in words.  ``default``
    and ``example`` are YAML; the default is ``required`` if there is none, and empty if it
    depends.  ``kinds`` are those of components whose arguments stand beside ``use``.  ``of`` names
    the components or optimisers that have the key, if not all do.
    """

    path: str
    type: str
    default: str
    help: str
    example: str = ""
    kinds: tuple[str, ...] = ()
    of: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2].removesuffix("[]")


def keys() -> Iterator[Key]:
    """Yield all keys of the grammar, in the order of a recipe.

    Without the arguments of components; see ``arguments``.
    """
    top = {name: _key(name, parameter) for name, parameter in grammar.TOP.items()}
    yield top.pop("recipe")
    yield _section("extends", "name or path of a recipe")
    yield from top.values()
    for name in ("dataset", *grammar.PLAYERS):
        yield from _component(_section(name, f"section of {_a(name)}", name))
    yield _section("networks", "mapping of roles to sections of a network")
    text = "A network, by the role that it has."
    example = grammar.COLLECTIONS["networks"][1:-1].partition(": ")[2]
    yield Key("networks.NAME", "section of a network", "", text, example, NETWORK_KINDS)
    yield from _table("networks.NAME", grammar.NETWORK)
    yield _section("players", "mapping of names to lists of roles")
    text = "The roles that learn together, with one optimiser and one objective."
    yield Key("players.NAME", "list of roles", "", text, "[generator, backward]")
    yield from _optimizer()
    yield _section("ema", "section, number or null")
    yield from _table("ema", grammar.EMA)
    yield from _component(_section("augment", "section of a transform, or null", "transform"))
    yield _section("views", "mapping of names to sections of a transform")
    yield from _named("views", "transform", "A transform, and the word that it is of.")
    yield from _table("views.NAME", grammar.VIEW)
    yield from _table("views.NAME", grammar.APPLICATION)
    yield _section("extractors", "mapping of names to sections of an extractor")
    yield from _named("extractors", "extractor", "A network, by the name that terms call it.")
    yield from _stages()
    for name, table in {**grammar.PLAIN_SECTIONS, **grammar.MEASURING}.items():
        yield _section(name, "section, or null" if name in grammar.MEASURING else "section")
        yield from _table(name, table)


def arguments(path: str, kind: str, registry: Registry) -> Iterator[Key]:
    """Yield the arguments of all components of a ``kind``, as keys of the section ``path``.

    Equal keys of several components are merged into one, whose ``of`` names them all.
    """
    components: dict[Key, list[str]] = {}
    for name in registry.names(kind):
        try:
            signature = registry.get(kind, name).signature
        except GanzooError:
            continue  # `ganzoo plugins` reports it
        for parameter in signature.parameters:
            key = _key(f"{path}.{parameter.name}", parameter)
            if kind in NETWORK_KINDS and parameter.name in grammar.FROM_DATASET:
                key = replace(key, default="the dataset's")
            components.setdefault(key, []).append(name)
    for key, names in components.items():
        yield replace(key, of=tuple(names))


def explain(path: str, registry: Registry) -> tuple[list[Key], list[Key]]:
    """Explain a key such as ``stages.0.generator.0.weight``; also return the keys inside it.

    A key that components define differently is returned once for each; so is a bare name that
    several sections have, such as ``every``.  Raises RecipeError with the nearest key if there is
    none.
    """
    canonical = _canonical(path)
    candidates = list(keys())
    bare = "." not in canonical and canonical not in {key.path for key in candidates}
    parent, _, _ = canonical.rpartition(".")
    for key in [
        key for key in candidates if key.kinds and (bare or key.path in (canonical, parent))
    ]:
        for kind in key.kinds:
            candidates += arguments(key.path, kind, registry)
    matches = [key for key in candidates if canonical == (key.name if bare else key.path)]
    inside = [
        key
        for key in candidates
        if re.fullmatch(rf"{re.escape(canonical)}(\[\])?\.(NAME|\w+)", key.path)
    ]
    if not matches:
        beside = [key.path for key in candidates if key.path.rpartition(".")[0] == parent]
        names = dict.fromkeys(beside or [key.path for key in candidates if "." not in key.path])
        near = nearest(canonical, names)
        short_names = [name.rpartition(".")[2].removesuffix("[]") for name in names]
        where = f"'{parent}' has" if beside and parent else "Available"
        raise RecipeError([f"no recipe has a key '{path}'{near} {where}: {one_of(short_names)}."])
    return matches, inside


def _canonical(path: str) -> str:
    """Normalise a path: indices as ``[]``, equivalent keys under the first name."""
    path = re.sub(r"\.?\[?\b(\d+)\b\]?", "[]", path.strip())
    path = re.sub(r"^stages\.", "stages[].", path)
    path = re.sub(r"^(stages\[\]\.(?:generator|discriminator))\.", r"\1[].", path)
    path = re.sub(r"^networks\.(generator|discriminator)\b", r"\1", path)
    path = re.sub(r"^(networks|players|views|extractors)\.[^.[]+(\[\])?", r"\1.NAME", path)
    path = re.sub(r"^stages\[\]\.updates\[\].*", "stages[].updates", path)
    path = re.sub(r"^stages\[\]\.optimizer\.", "optimizer.", path)
    path = re.sub(r"^optimizer\.(?:generator|discriminator|NAME)\.", "optimizer.", path)
    path = re.sub(r"^stages\[\]\.\w+\[\]", "stages[].generator[]", path)
    return "stages" if path == "stages[]" else path


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _key(path: str, parameter: Parameter, of: tuple[str, ...] = ()) -> Key:
    default = parameter.default
    text = "required" if default is REQUIRED else "" if default is COMPUTED else flow(default)
    words = parameter.type.describe()
    return Key(path, words, text, parameter.help, parameter.example, of=of)


def _table(path: str, table: Mapping[str, Parameter]) -> Iterator[Key]:
    return (_key(f"{path}.{name}", parameter) for name, parameter in table.items())


def _section(name: str, words: str, kind: str = "") -> Key:
    default = "required" if name in grammar.REQUIRED_SECTIONS else ""
    example = grammar.SECTION_EXAMPLES[name]
    return Key(name, words, default, grammar.SECTIONS[name], example, (kind,) if kind else ())


def _component(section: Key) -> Iterator[Key]:
    yield section
    yield _use(section.path, section.kinds[0])


def _use(path: str, kind: str, example: str = "") -> Key:
    words = f"name of {_a(kind)}"
    which = f"Which one, of `ganzoo list {kind}`; its arguments stand beside it."
    return Key(f"{path}.use", words, "required", which, example)


def _named(section: str, kind: str, text: str) -> Iterator[Key]:
    path = f"{section}.NAME"
    example = grammar.COLLECTIONS[section][1:-1].partition(": ")[2]
    yield Key(path, f"section of {_a(kind)}", "", text, example, (kind,))
    yield _use(path, kind)


def _optimizer() -> Iterator[Key]:
    yield _section("optimizer", "section of an optimizer")
    words = f"one of {', '.join(grammar.OPTIMIZERS)}"
    yield Key("optimizer.use", words, "required", "Which one, as torch has it.", "adam")
    yield from _scheduled("optimizer.lr", grammar.LR, grammar.RATE_SCHEDULE)
    alike: dict[Key, list[str]] = {}
    for use, table in grammar.OPTIMIZERS.items():
        for key in _table("optimizer", table):
            alike.setdefault(key, []).append(use)
    for key, uses in alike.items():
        yield replace(key, of=tuple(uses))
    for player in (*grammar.PLAYERS, "NAME"):
        text = f"What differs from it for the {player}."
        if player == "NAME":
            text = "What differs from it for another player."
        yield Key(f"optimizer.{player}", "section of an optimizer", "", text, "{lr: 1e-4}")


def _scheduled(path: str, parameter: Parameter, schedule: grammar.Table) -> Iterator[Key]:
    key = _key(path, parameter)
    yield replace(key, type=f"{key.type}, or {{{', '.join(schedule)}}}")
    yield from _table(path, schedule)


def _stages() -> Iterator[Key]:
    yield _section("stages", "list of stages")
    yield from _table("stages[]", grammar.STAGE)
    for name, text in grammar.STAGE_SECTIONS.items():
        words = "section of an optimizer" if name == "optimizer" else "list of terms"
        default = "required" if name == "generator" else ""
        example = grammar.STAGE_EXAMPLES[name]
        yield Key(f"stages[].{name}", words, default, text, example)
    text = "The terms that another player minimises."
    yield Key("stages[].NAME", "list of terms", "", text, "[{use: hinge, inputs: {fake: drawn}}]")
    term, text = "stages[].generator[]", "A loss, its weight and its arguments."
    yield Key(term, "section of a loss", "", text, kinds=("loss",))
    yield _use(term, "loss", "hinge")
    yield from _scheduled(f"{term}.weight", grammar.WEIGHT, grammar.SCHEDULE)
    yield from _table(term, grammar.TERM)
