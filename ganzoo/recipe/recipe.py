"""Recipes: YAML that composes components into one training run.

``load_recipe`` reads a file, the files it extends and ``--set``, checks everything without torch or
any component's code, and returns a ``Recipe`` with all defaults filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, RecipeError
from ganzoo.files import refusals
from ganzoo.formats.tree import Node, join, split
from ganzoo.formats.yaml import scalar
from ganzoo.plugins import shipped
from ganzoo.plugins.registry import Registry
from ganzoo.recipe import grammar, inheritance
from ganzoo.recipe.benchmark import Benchmark, load_benchmark
from ganzoo.recipe.checker import Problems, located
from ganzoo.recipe.component import Component, Section, split_component
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.needs import check_needs
from ganzoo.recipe.optimizer import Optimizer
from ganzoo.recipe.recipe_checker import RecipeChecker
from ganzoo.recipe.recipe_types import (
    Application,
    Checkpoint,
    Ema,
    Evaluate,
    Log,
    Network,
    Recipe,
    Samples,
    Schedule,
    Stage,
    Term,
    Verify,
    View,
)
from ganzoo.recipe.scope import extractor_arguments, targets


def load_recipe(
    path_or_name: str | Path,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
    folder: Path | None = None,
) -> Recipe:
    """Read, check and complete a recipe, given by path or by the name of a shipped one.

    ``overrides`` look like ``"stages.0.steps=100"`` and are checked like the file.  Relative paths
    in a file are relative to ``folder``, or else to the folder of the file; those of shipped
    recipes and of ``overrides`` to the working directory.  Raises RecipeError with every problem at
    once.
    """
    registry = registry or _installed()
    layers = inheritance.load(
        path_or_name, overrides, shipped.shipped_recipes(registry), "recipe", folder
    )
    root, problems = layers.root, Problems(layers.problems)
    checker = RecipeChecker(registry, problems, layers.whole)
    recipe = checker.recipe(root)
    check_needs(root, recipe, checker)
    _check_benchmarks(recipe, registry, problems)
    _locate_weights(recipe, problems)
    _check_verify(recipe, problems)
    problems.raise_any()
    return _recipe(Node(recipe, root.at), checker)


def _check_benchmarks(recipe: Section, registry: Registry, problems: Problems) -> None:
    """Note benchmarks of the recipe that cannot be read; make paths absolute."""
    for section in grammar.MEASURING:
        entries = recipe[section].value if section in recipe else None
        if not entries or not {"benchmark", "set"} <= entries.keys():
            continue
        name, overrides = entries["benchmark"], entries["set"]
        path: str | Path = name.value
        with suppress(OSError, ValueError):  # too long, or a NUL
            if (file := Path(located(name)).absolute()).is_file():
                path, name = inheritance.display(file), replace(name, value=str(file))
        try:
            benchmark = load_benchmark(path, overrides.plain(), registry, overrides.at.folder)
        except RecipeError as error:
            for text in error.problems:
                key = "set" if text.startswith("--set ") else "benchmark"
                problems.add(entries[key].at, join(section, key), text)
        else:
            entries["benchmark"] = name
            texts = [_with_whole_path(text, benchmark) for text in overrides.plain()]
            entries["set"] = overrides.like(texts)


def _with_whole_path(text: str, benchmark: Benchmark) -> str:
    """Put the path that ``benchmark`` was read with into ``dataset.path=FOLDER`` of a ``set``."""
    key, _, value = text.partition("=")
    section, *steps = split(key.strip())
    inner: Any = benchmark.dataset if section == "dataset" else None
    if section == "extractors" and steps:
        inner = benchmark.extractors.get(steps.pop(0))
    argument = inner.arguments.get(steps[0]) if inner and len(steps) == 1 else None
    is_path = isinstance(argument, str) and Path(argument).is_absolute()
    return f"{key}={argument}" if is_path and not Path(value.strip()).is_absolute() else text


def _locate_weights(recipe: Section, problems: Problems) -> None:
    """Make ``init_from`` an absolute path, a shipped model or ``hf://user/repo``; or note it."""
    node = recipe.get("init_from")
    if not node or node.value is None:
        return
    from ganzoo.models.hub_id import is_id, parse_id

    text = node.value
    try:
        if not text or "\0" in text:
            raise ValueError(f"expected a path or user/repo, not {scalar(text)}")
        with refusals():  # a name that is too long, or an unreadable folder
            path = Path(located(node)).absolute()
            is_here = path.exists() or path.parent.is_dir() or Path(text).parts[:1] == ("runs",)
        is_on_hub = "://" in text or (is_id(text) and not is_here)
        if path.exists() or text not in shipped.shipped_models():
            text = f"hf://{parse_id(text)}" if is_on_hub else str(path)
    except (GanzooError, ValueError) as error:
        problems.add(node.at, "init_from", str(error))
    recipe["init_from"] = replace(node, value=text)


def _check_verify(recipe: Section, problems: Problems) -> None:
    """Note ranges that could never fail or never hold."""
    entries = (recipe["verify"].value or {}) if "verify" in recipe else {}
    if seeds := entries.get("seeds"):
        values = seeds.plain()
        if not values or len(set(values)) < len(values):
            what = f"expected one seed or several, all different, not {value_text(values)}"
            problems.add(seeds.at, "verify.seeds", what)
    if ranges := entries.get("expected"):
        if not ranges.value:
            what = "expected at least one score, as {kid-efflite0: [10, 14]}"
            problems.add(ranges.at, "verify.expected", what)
        for score, span in ranges.value.items():
            low, high = span.plain()
            if low > high:
                what = f"no value is from {low:g} to {high:g}: the lowest comes first"
                problems.add(span.at, join("verify.expected", score), what)


def find_recipe(name_or_path: str | Path, registry: Registry | None = None) -> Path:
    """Find a recipe's file: an existing path, or the name of a shipped or registered recipe.

    Raises RecipeError with the known names and the nearest.
    """
    return inheritance.find(
        str(name_or_path), shipped.shipped_recipes(registry or _installed()), "recipe"
    )


def shipped_recipes(registry: Registry | None = None) -> dict[str, Path]:
    """Return the recipes of ganzoo and its plugins, by name."""
    return shipped.shipped_recipes(registry or _installed())


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List what changed between two resolved recipes, a line for each value.

    For example ``stages[0].generator[1].weight: 10.0 -> 5.0``.
    """
    a, b = dict(leaves(old)), dict(leaves(new))
    nothing = object()

    def show(value: Any) -> str:
        return "(nothing)" if value is nothing else value_text(value)

    return [
        f"{path}: {show(a.get(path, nothing))} -> {show(b.get(path, nothing))}"
        for path in dict.fromkeys([*a, *b])
        if a.get(path, nothing) != b.get(path, nothing)
    ]


def _installed() -> Registry:
    from ganzoo.plugins.manager import installed

    return installed().registry


def _tuples(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in section.items()}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield scalars, and lists of only scalars, by path, such as ``stages[0].steps``."""
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        inside = enumerate(value)
    elif value != {}:
        yield path, value
    for step, item in inside:
        yield from leaves(item, join(path, step))


def value_text(value: Any) -> str:
    """Write a scalar, or a list of scalars, as a recipe does."""
    return f"[{', '.join(map(scalar, value))}]" if isinstance(value, list) else scalar(value)


def _recipe(tree: Node, checker: RecipeChecker) -> Recipe:
    """Turn a checked and completed tree into a Recipe."""
    top: Section = tree.value
    plain = tree.plain()
    networks = {
        role: _network(role, top[role] if role in PLAYERS else top["networks"].value[role], checker)
        for role in checker.roles
    }
    stages = zip(top["stages"].value, checker.optimizers, strict=True)
    return Recipe(
        name=plain["recipe"],
        dataset=_component(top["dataset"]),
        networks=networks,
        players={player: tuple(roles) for player, roles in checker.players.items()},
        ema=Ema(**plain["ema"]) if plain["ema"] else None,
        augment=_component(top["augment"]) if plain["augment"] else None,
        views={name: _view(node, checker, networks) for name, node in top["views"].value.items()},
        extractors={name: _component(node) for name, node in top["extractors"].value.items()},
        stages=tuple(_stage(node, optimizer, checker) for node, optimizer in stages),
        log=Log(plain["log"]["every"], tuple(plain["log"]["trackers"])),
        samples=Samples(**plain["samples"]),
        checkpoint=Checkpoint(**plain["checkpoint"]),
        evaluate=Evaluate(**_tuples(plain["evaluate"])) if plain["evaluate"] else None,
        verify=Verify(**_tuples(plain["verify"])) if plain["verify"] else None,
        tree=tree,
        **{
            key: plain[key]
            for key in ("seed", "batch", "accumulate", "precision", "init_from", "plugins")
        },
    )


def _component(node: Node) -> Component:
    return Component(**split_component(node, ()))


def _network(role: str, node: Node, checker: RecipeChecker) -> Network:
    parts = split_component(node, () if role in PLAYERS else grammar.NETWORK)
    kind = checker.roles[role]
    signature = checker.registry.get(kind, parts["use"]).signature
    extractors = {
        name: extractor
        for name in extractor_arguments(signature)
        if (extractor := parts["arguments"].get(name)) is not None
    }
    return Network(**parts | {"kind": kind, "extractors": extractors})


def _view(
    node: Node, checker: RecipeChecker, networks: Mapping[str, Network]
) -> View | Application:
    if "apply" not in node.value:
        return View(**split_component(node, grammar.VIEW))
    network = networks[role := node.value["apply"].value]
    reads = checker.registry.get(network.kind, network.use).signature.methods["forward"]
    return Application(role, targets(node.value.get("to"), [word for word, _ in reads]))


def _stage(node: Node, optimizer: Optimizer, checker: RecipeChecker) -> Stage:
    plain = node.plain()
    terms: dict[str, tuple[Term, ...]] = {}
    optimizers: dict[str, tuple[str, dict[str, Any]]] = {}
    for player in checker.keys_of_terms:
        parts = [
            split_component(term, (*grammar.TERM, "weight")) for term in node.value[player].value
        ]
        terms[player] = tuple(Term(**p | {"weight": _schedule(p["weight"])}) for p in parts)
        arguments = {key: child.plain() for key, child in optimizer.of(player).items()}
        arguments["lr"] = _schedule(arguments["lr"])
        optimizers[player] = arguments.pop("use"), arguments
    return Stage(
        name=plain["name"],
        steps=plain["steps"],
        terms=terms,
        updates=_updates(plain, checker),
        optimizers=optimizers,
    )


def _updates(stage: Mapping[str, Any], checker: RecipeChecker) -> tuple[tuple[str, ...], ...]:
    """Return the updates of one step: those of the stage, or judges before what they judge."""
    if "updates" in stage:
        return tuple(tuple(u) if isinstance(u, list) else (u,) for u in stage["updates"])
    players = checker.keys_of_terms
    judges = [p for p in players if checker.method(p) == "discriminator"]
    others = [player for player in players if player not in judges]
    turns = judges * stage["discriminator_steps"]
    return tuple((player,) for player in (*turns, *others))


def _schedule(value: Any) -> Schedule:
    if isinstance(value, dict):
        return Schedule(value["from"], value["to"], value["over"], value["after"])
    return Schedule(value, value)


def without_paths(value: Any) -> Any:
    """Cut every path of this machine to its last part, for other readers.

    That includes paths in a ``set``, such as ``dataset.path=/...``.
    """
    if isinstance(value, dict):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    key, equals, path = ("", "", value) if Path(value).is_absolute() else value.partition("=")
    return f"{key}{equals}{Path(path).name}" if Path(path).is_absolute() else value
