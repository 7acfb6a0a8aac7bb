"""``ganzoo recipe check``, ``resolve`` and ``schema``: all without torch."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ganzoo.cli.training import Overrides

recipe_app = typer.Typer(help="Check, resolve and describe recipes.", no_args_is_help=True)
Recipe = Annotated[str, typer.Argument(help="A recipe's name or path.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's verbs."""
    app.add_typer(recipe_app, name="recipe")


@recipe_app.command()
def check(recipe: Recipe, overrides: Overrides = []) -> None:  # noqa: B006
    """Tell all mistakes of a recipe at once."""
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    loaded = load_recipe(recipe, overrides, installed().registry)
    steps = sum(stage.steps for stage in loaded.stages)
    typer.echo(f"{loaded.name} is right: {len(loaded.stages)} stages, {steps} steps")


@recipe_app.command()
def resolve(
    recipe: Recipe,
    overrides: Overrides = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the recipe with everything filled in, and where each value came from."""
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    loaded = load_recipe(recipe, overrides, installed().registry)
    typer.echo(json.dumps(loaded.resolved(), indent=1) if as_json else loaded.to_yaml())


@recipe_app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, with the components installed here, for editors."""
    from ganzoo.plugins import installed
    from ganzoo.schema import schema as make

    typer.echo(json.dumps(make(installed().registry), indent=1))
