"""The command line: nouns that a GAN person knows, verbs that read aloud.

Each verb lives in the module of its group and imports torch, if at all, in its body.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ganzoo.cli import evaluation, hub, inspect, leaderboard, recipe, results, training
from ganzoo.cli import plugins as plugins_group
from ganzoo.errors import GanzooError, Interrupted, RecipeError

if TYPE_CHECKING:
    from ganzoo.plugins import Plugins


def main() -> None:
    """Run a command; a user's mistake prints its sentences and exits with 2."""
    from ganzoo.plugins import installed

    try:
        plugins = installed()
        app = command_line(plugins)
        for report in plugins.reports:
            print(f"warning: {report}", file=sys.stderr)
        app(obj=plugins)
    except Interrupted as stop:
        print("\n".join([str(stop), *_notes(stop)]), file=sys.stderr)
        sys.exit(stop.exit_code)
    except GanzooError as error:
        print("\n".join([f"error: {_text(error)}", *_notes(error)]), file=sys.stderr)
        sys.exit(error.exit_code)


class _Verbs(TyperGroup):
    """All verbs on one screen of 24 lines: the two options stand in the first."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[--version] [--help] COMMAND [ARGS]..."]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)


def command_line(plugins: Plugins) -> typer.Typer:
    """All verbs, those of plugins included."""
    app = typer.Typer(
        name="ganzoo",
        cls=_Verbs,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_ganzoo)
    for group in (
        inspect,
        plugins_group,
        recipe,
        training,
        results,
        evaluation,
        leaderboard,
        hub,
    ):
        group.add_to(app)
    plugins.add_commands(app)
    if sys.flags.optimize > 1:  # python -OO drops the docstrings, which are the help
        _restore_help(app)
    return app


def _restore_help(app: typer.Typer) -> None:
    from ganzoo.signature import docstring

    callbacks = [command.callback for command in app.registered_commands]
    if app.registered_callback:
        callbacks.append(app.registered_callback.callback)
    for callback in filter(None, callbacks):
        callback.__doc__ = docstring(callback)
    for group in app.registered_groups:
        if group.typer_instance:
            _restore_help(group.typer_instance)


def _version(wanted: bool) -> None:
    if wanted:
        from ganzoo import __version__

        typer.echo(f"ganzoo {__version__}")
        raise typer.Exit


def _ganzoo(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A GAN zoo: compose GANs and losses in YAML, train, compare and share them."""


def _notes(error: GanzooError) -> Sequence[str]:
    """What went wrong besides, such as a report that could not be written."""
    notes: Sequence[str] = getattr(error, "__notes__", ())
    return notes


def _text(error: GanzooError) -> str:
    """The message; a count goes above several, so that each begins its own line."""
    if isinstance(error, RecipeError) and len(error.problems) > 1:
        return "\n".join([f"{len(error.problems)} problems", *error.problems])
    return str(error)
