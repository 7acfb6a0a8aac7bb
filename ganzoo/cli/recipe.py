"""``ganzoo recipe check``, ``resolve`` and ``schema``: all without torch."""

from __future__ import annotations

from typing import Annotated

import typer

from ganzoo.cli.training import Overrides, RecipeName
from ganzoo.text import say, say_json

recipe_app = typer.Typer(help="Check, resolve and describe recipes.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's verbs."""
    app.add_typer(recipe_app, name="recipe", rich_help_panel="Train")


@recipe_app.command()
def check(
    recipe: RecipeName,
    overrides: Overrides,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Tell all mistakes of a recipe at once."""
    from ganzoo.errors import RecipeError
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    try:
        loaded = load_recipe(recipe, overrides, installed().registry)
    except RecipeError as error:
        if not as_json:
            raise
        say_json({"problems": error.problems})
        raise typer.Exit(error.exit_code) from None
    if as_json:
        say_json({"problems": []})
        return
    stages = "1 stage" if len(loaded.stages) == 1 else f"{len(loaded.stages)} stages"
    steps = sum(stage.steps for stage in loaded.stages)
    say(f"{loaded.name} is right: {stages}, {steps} steps")


@recipe_app.command()
def resolve(
    recipe: RecipeName,
    overrides: Overrides,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a recipe in full, with where each value is from."""
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    loaded = load_recipe(recipe, overrides, installed().registry)
    say_json(loaded.resolved()) if as_json else say(*loaded.to_yaml().splitlines())


@recipe_app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors.

    It knows the components that are installed here, and their arguments.
    """
    from ganzoo.plugins import installed
    from ganzoo.schema import schema as make

    say_json(make(installed().registry))
