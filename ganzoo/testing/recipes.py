"""The promises of a registered recipe."""

from __future__ import annotations

from ganzoo.errors import RecipeError
from ganzoo.recipe.recipe import load_recipe
from ganzoo.testing.subject import Subject


def loads_and_checks(subject: Subject) -> None:
    """It loads, and everything in it checks.

    The data need not be there.
    """
    try:
        load_recipe(subject.entry.file, (), subject.plugins.registry)
    except RecipeError as error:
        raise AssertionError(str(error)) from error
