"""Write the gallery of recipes: what each needs, says and reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from myst import code, fence, link, needs, page, prose, table, toctree

from ganzoo.formats.yaml import flow
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_recipes
from ganzoo.plugins.signature import read_signature
from ganzoo.recipe.component import Component
from ganzoo.recipe.flow import flow as made_words
from ganzoo.recipe.flow import shown_word
from ganzoo.recipe.header import read_header
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Recipe, Stage, Term, View

PICTURES = Path(__file__).resolve().parent / "pictures" / "recipes"


def pages(registry: Registry) -> dict[str, str]:
    """Return every page by its path."""
    files = shipped_recipes(registry)
    return {"recipes.md": _index(files)} | {
        f"recipes/{name}.md": _recipe(name, path, registry) for name, path in files.items()
    }


def _index(files: Mapping[str, Path]) -> str:
    rows = [
        [f"{{doc}}`recipes/{name}`", prose(read_header(path).summary), picture(name, width=280)]
        for name, path in files.items()
    ]
    return page(
        "Recipes",
        "Those that come with ganzoo. `ganzoo train NAME` trains one, `ganzoo recipe resolve NAME` "
        "prints it with every default, and your own may begin with `extends: NAME`. "
        "{doc}`Which recipe for me? <which-recipe>`",
        table(["recipe", "what it is", "what it draws"], rows),
        toctree(f"recipes/{name}" for name in files),
    )


def _recipe(name: str, path: Path, registry: Registry) -> str:
    header = read_header(path)
    recipe = load_recipe(path, (), registry)
    sections = "\n".join(f"- **{name}** {text}" for name, text in header.sections.items())
    yaml = re.sub(r"\A(#.*\n)*", "", path.read_text(encoding="utf-8"))
    return page(
        name,
        prose(header.summary),
        picture(name, width=560),
        prose(sections),
        prose(header.notes),
        "## What it is made of",
        table(["part", "component", "with"], _parts(recipe, registry)),
        *(_stage(stage, recipe, registry) for stage in recipe.stages),
        "## Who makes what, and who learns from it",
        "A player learns from a word if a gradient of its terms goes through it.",
        table(["word", "made by", "of", "who learns from it"], _flow(recipe, registry)),
        "## The file",
        fence("yaml", yaml),
    )


def picture(name: str, width: int) -> str:
    """Show the last grid of the recipe's training, if ``pictures.py`` copied one."""
    if not (PICTURES / f"{name}.png").is_file():
        return ""
    return f'<img src="/pictures/recipes/{name}.png" alt="What {name} draws" width="{width}">'


def _parts(recipe: Recipe, registry: Registry) -> Iterator[list[str]]:
    yield _part("dataset", "dataset", recipe.dataset, registry)
    for role, network in recipe.networks.items():
        yield _part(role, network.kind, network, registry)
    if recipe.augment:
        yield _part("augment", "transform", recipe.augment, registry)
    for name, view in recipe.views.items():
        if isinstance(view, View):
            yield _part(f"view `{name}` of `{view.of}`", "transform", view, registry)
    for name, extractor in recipe.extractors.items():
        yield _part(f"extractor `{name}`", "extractor", extractor, registry)


def _part(role: str, kind: str, component: Component, registry: Registry) -> list[str]:
    return [role, link(registry.get(kind, component.use)), _given(component.arguments)]


def _flow(recipe: Recipe, registry: Registry) -> Iterator[list[str]]:
    for made in made_words(recipe, registry):
        of = ", ".join(map(code, made.of))
        yield [code(made.word), made.maker, of, ", ".join(made.teaches)]


def _stage(stage: Stage, recipe: Recipe, registry: Registry) -> str:
    parts = [f"## Stage {stage.name}: {stage.steps:,} steps"]
    order = [player for players in stage.updates for player in players if stage.terms[player]]
    for player in dict.fromkeys(order):
        use, arguments = stage.optimizers[player]
        rest = {name: value for name, value in arguments.items() if name != "lr"}
        often = f", {order.count(player)} updates a step" if order.count(player) > 1 else ""
        with_rest = f" with {_given(rest)}" if _given(rest) else ""
        roles = recipe.players[player]
        who = "" if roles == (player,) else f" ({' and '.join(roles)})"
        use = f"{use}{with_rest}, rate {arguments['lr']}{often}"
        parts.append(f"The {player}{who} learns by {use}:")
        rows = [_term(term, recipe.method(player), registry) for term in stage.terms[player]]
        parts.append(table(["weight", "term", "with", "reads"], rows))
    return "\n\n".join(parts)


def _term(term: Term, method: str, registry: Registry) -> list[str]:
    entry = registry.get("loss", term.use)
    words = read_signature(entry.target).methods[method]
    reads = needs((shown_word(word, term), required) for word, required in words)
    by = f", of judge `{term.judge}`" if term.judge else ""
    by += f", by extractor `{term.extractor}`" if term.extractor else ""
    every = f", every {term.every} steps" if term.every > 1 else ""
    return [f"{term.weight}{every}", link(entry), _given(term.arguments), reads + by]


def _given(arguments: Mapping[str, Any]) -> str:
    texts = [f"{name}: {flow(_here(v))}" for name, v in arguments.items() if v is not None]
    return code(", ".join(texts)) if texts else ""


def _here(value: Any) -> Any:
    """Return a path as the recipe has it, not as this machine resolves it."""
    return value.removeprefix(f"{Path.cwd()}/") if isinstance(value, str) else value
