"""The command line: nouns that a GAN person knows, verbs that read aloud.

Each verb lives in the module of its group and imports torch, if at all, in its body.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ganzoo.cli import inspect, recipe, results, training
from ganzoo.errors import GanzooError, RecipeError

app = typer.Typer(
    name="ganzoo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (inspect, recipe, training, results):
    group.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        import ganzoo

        typer.echo(f"ganzoo {ganzoo.__version__}")
        raise typer.Exit


@app.callback()
def _ganzoo(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A GAN zoo: compose GANs and losses in YAML, train them, compare them, share them."""


def main() -> None:
    """Run a command; a user's mistake prints its sentences and exits with 2."""
    from ganzoo.plugins import installed

    try:
        plugins = installed()
        plugins.add_commands(app)
        for plugin in plugins.broken:
            print(f"warning: {plugin.report()}", file=sys.stderr)
        app()
    except GanzooError as error:
        print(f"error: {_text(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _text(error: GanzooError) -> str:
    """The message; a count goes above several, so that each begins its own line."""
    if isinstance(error, RecipeError) and len(error.problems) > 1:
        return "\n".join([f"{len(error.problems)} problems", *error.problems])
    return str(error)
