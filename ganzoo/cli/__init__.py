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
from typer.core import TyperGroup

from ganzoo.cli import evaluation, hub, inspect, leaderboard, models, recipe, results, training
from ganzoo.cli import plugins as plugins_group
from ganzoo.errors import GanzooError, Interrupted, RecipeError
from ganzoo.files import NO_WORKING_FOLDER, refusals, working_folder
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


EXAMPLES = {
    "ganzoo sample ganzoo/avatars-64": "draw 64 avatars",
    "ganzoo train dcgan-avatars": "train the demo",
    "ganzoo train dcgan --set dataset.path=FOLDER": "train on your own images",
}
#: the groups of ``ganzoo --help``; those of plugins come after them
PANELS = ("Train", "Use a model", "Measure", "Share", "Look things up", "Extend")


class _Verbs(TyperGroup):
    """The front page: where to start, and all verbs by purpose."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        _show_plain_arguments(self)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Start here"):
            formatter.write_dl(list(EXAMPLES.items()), col_max=48)
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command and not command.hidden:
                panel = getattr(command, "rich_help_panel", None)
                row = (name, command.get_short_help_str(200))
                panels.setdefault(panel or "Other commands", []).append(row)
        wide = max(len(name) for rows in panels.values() for name, _ in rows)
        for panel, rows in panels.items():
            if rows:
                with formatter.section(panel):
                    formatter.write_dl([(f"{name:{wide}}", text) for name, text in rows])
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record])
        formatter.write_paragraph()
        formatter.write_text("`ganzoo COMMAND -h` explains a command.")


def _show_plain_arguments(group: Any) -> None:
    """Show an argument as RECIPE, not as {RECIPE} or RECIPE <str>: typer 0.29 has no setting."""
    for command in group.commands.values():
        for argument in command.params:
            if argument.param_type_name == "argument":
                pieces = argument.get_usage_pieces
                argument.get_usage_pieces = lambda ctx, pieces=pieces: [
                    piece.replace("{", "").replace("}", "") for piece in pieces(ctx)
                ]
                argument.display_type_rich = lambda ctx: None
        if hasattr(command, "commands"):
            _show_plain_arguments(command)


def command_line(plugins: Plugins) -> typer.Typer:
    """Build the command line, plugins' verbs included."""
    app = typer.Typer(
        name="ganzoo",
        cls=_Verbs,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_ganzoo)
    for group in (
        inspect,
        plugins_group,
        recipe,
        training,
        results,
        models,
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
