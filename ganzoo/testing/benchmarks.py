"""The promises of a registered benchmark."""

from __future__ import annotations

from ganzoo.errors import RecipeError
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.testing.subject import Subject


def loads_under_its_name(subject: Subject) -> None:
    """It loads, everything in it checks, and it has the registered name.

    The data need not be there.
    """
    file = subject.entry.file
    try:
        benchmark = load_benchmark(file, (), subject.plugins.registry)
    except RecipeError as error:
        raise AssertionError(str(error)) from error
    registered = subject.entry.name
    assert benchmark.name == registered, (
        f"{file} has 'benchmark: {benchmark.name}' and is registered as '{registered}'. Entries go "
        "by the name in the file: make both equal."
    )
