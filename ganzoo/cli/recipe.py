"""``ganzoo recipe``: check, explain and make recipes, all without torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.options import Json
from ganzoo.cli.training import Overrides, RecipeName
from ganzoo.text import say, say_json, wrapped

recipe_app = typer.Typer(help="Check, resolve and describe recipes.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(recipe_app, name="recipe", rich_help_panel="Train")


@recipe_app.command()
def check(
    recipe: RecipeName,
    overrides: Overrides,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Report all mistakes of a recipe at once."""
    from ganzoo.errors import RecipeError
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.recipe import load_recipe

    try:
        spec = load_recipe(recipe, overrides, installed().registry)
    except RecipeError as error:
        if not as_json:
            raise
        say_json({"problems": error.problems})
        raise typer.Exit(error.exit_code) from None
    if as_json:
        say_json({"problems": []})
        return
    stages = "1 stage" if len(spec.stages) == 1 else f"{len(spec.stages)} stages"
    steps = sum(stage.steps for stage in spec.stages)
    say(f"{spec.name} is valid: {stages}, {steps} steps")


@recipe_app.command()
def resolve(
    recipe: RecipeName,
    overrides: Overrides,
    as_json: Json = False,
) -> None:
    """Print a recipe in full, with the source of each value."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.recipe import load_recipe

    spec = load_recipe(recipe, overrides, installed().registry)
    say_json(spec.resolved()) if as_json else say(*spec.to_yaml().splitlines())


@recipe_app.command()
def explain(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="As dataset.path, stages.generator.weight or every; all of the top level without.",
            autocompletion=completion.recipe_keys,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a key of recipes: its meaning, values and default."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.language import explain as about
    from ganzoo.recipe.language import keys

    if key:
        matches, inside = about(key, installed().registry)
    else:
        matches, inside = [], [one for one in keys() if "." not in one.path and "[" not in one.path]
    if as_json:
        say_json([asdict(one) for one in matches or inside])
        return
    for one in matches:
        say(f"{one.path}" + (f", of {', '.join(one.of)}" if one.of else ""), bold=True)
        default = one.default if one.default in ("", "required") else f"default {one.default}"
        say(*wrapped("  ", "; ".join(filter(None, [one.type, default]))))
        say(*wrapped("  ", one.help.replace("``", "`")))
        if one.example:
            say(*wrapped("  example  ", f"{one.name}: {one.example}"))
    if inside:
        say("keys inside" if matches else "keys of a recipe", bold=True)
        wide = max(len(one.name) for one in inside)
        for one in inside:
            owner = f"{', '.join(one.of)}: " if one.of else ""
            text = f"{owner}{one.help}".replace("``", "`")
            say(*wrapped(f"  {one.name:{wide}}  ", text))


@recipe_app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The recipe's name; NAME.yaml must not exist yet.")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RECIPE",
            help="Start from the values of this recipe.",
            autocompletion=completion.recipes,
        ),
    ] = "dcgan-avatars",
) -> None:
    """Write NAME.yaml, a recipe with a comment on every key."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.template import new_recipe

    path = new_recipe(name, source, installed().registry)
    say(f"{path}, with the values of {source}")
    say(f"next: ganzoo recipe check {path}", f"      ganzoo train {path} --dry-run")


@recipe_app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors.

    It covers the components installed here, and their arguments.
    """
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.schema import schema as make

    say_json(make(installed().registry))
