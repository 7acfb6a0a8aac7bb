"""The command line: nouns that a GAN person knows, verbs that read aloud.

Each verb lives in the module of its group and imports torch, if at all, in its body.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import (
    compare,
    drawing,
    evaluation,
    hub,
    inspect,
    leaderboard,
    models,
    photos,
    play,
    recipe,
    results,
    training,
)
from ganzoo.cli import plugins as plugins_group
from ganzoo.cli.front_page import FrontPage
from ganzoo.errors import GanzooError, Interrupted, RecipeError
from ganzoo.files import NO_WORKING_FOLDER, refusals, working_folder
from ganzoo.startup import no_collection
from ganzoo.text import OutputError, output, plain, prepare_streams, say

if TYPE_CHECKING:
    from ganzoo.plugins.manager import Plugins


#: most lines of a message
_SHOWN = 100
#: typer's error for a wrong command line; it exports only derived classes
_WrongUsage: Any = typer.BadParameter.__mro__[2]


def main() -> None:
    """Run a command and exit.  A user's mistake prints its sentences and exits with code 2."""
    prepare_streams()
    try:
        code = _run()
        with output():
            sys.stdout.flush()
    except OutputError as error:
        if error.errno != errno.EPIPE:  # EPIPE: the reader has gone
            say(f"error: the output cannot be written: {error.strerror}", err=True)
        code = 1
    sys.exit(code)


def _run() -> int:
    from ganzoo.plugins.manager import installed

    try:
        with refusals():
            with no_collection():
                plugins = installed()
                app = command_line(plugins)
            if "_GANZOO_COMPLETE" not in os.environ:  # a shell is completing a line
                say(*(f"warning: {report}" for report in plugins.reports), err=True)
            return app(obj=plugins, prog_name="ganzoo", standalone_mode=False) or 0
    except Interrupted as stop:
        say(*stop.args, *_notes(stop), err=True)
        return stop.exit_code
    except GanzooError as error:
        lines = list(error.args)
        if isinstance(error, RecipeError) and len(lines) > 1:
            lines.insert(0, f"{len(lines)} problems")
        more = [f"and {len(lines) - _SHOWN} more"] * (len(lines) > _SHOWN)
        text = [f"error: {lines[0]}", *lines[1:_SHOWN], *more] if lines else ["error"]
        say(*text, *_notes(error), err=True)
        return error.exit_code
    except _WrongUsage as error:
        if type(error).__name__ != "NoArgsIsHelpError":
            error.message = plain(error.message)
        with suppress(OSError):
            error.show(file=sys.stderr)
        return int(error.exit_code)


def command_line(plugins: Plugins) -> typer.Typer:
    """Build the command line, plugins' verbs included."""
    verbs = typer.Typer()
    for group in (
        inspect,
        plugins_group,
        recipe,
        training,
        drawing,
        results,
        photos,
        models,
        play,
        evaluation,
        leaderboard,
        compare,
        hub,
    ):
        group.add_to(verbs)
    plugins.add_commands(verbs)
    app = typer.Typer(
        name="ganzoo",
        cls=type("Ganzoo", (FrontPage,), {"app": verbs}),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_ganzoo)
    if sys.flags.optimize > 1:  # python -OO drops the docstrings, which are the help
        _restore_help(app)
        _restore_help(verbs)
    return app


def _restore_help(app: typer.Typer) -> None:
    from ganzoo.plugins.signature import docstring

    callbacks = [command.callback for command in app.registered_commands]
    if app.registered_callback:
        callbacks.append(app.registered_callback.callback)
    for callback in filter(None, callbacks):
        callback.__doc__ = docstring(callback)
    for group in app.registered_groups:
        if group.typer_instance:
            _restore_help(group.typer_instance)


def _version(flag: bool) -> None:
    if flag:
        from ganzoo import __version__

        say(f"ganzoo {__version__}")
        raise typer.Exit


def _ganzoo(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A GAN zoo: compose GANs and losses in YAML, train, compare and share them."""


def _notes(error: GanzooError) -> Sequence[str]:
    """Return further problems, such as a report that could not be written."""
    notes = list(getattr(error, "__notes__", ()))
    if not working_folder() and NO_WORKING_FOLDER not in str(error):
        notes.append(NO_WORKING_FOLDER)
    return notes
