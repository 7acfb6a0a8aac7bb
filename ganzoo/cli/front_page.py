"""The front page of the command line, and commands that are built when they are asked for.

Building all commands takes typer longer than drawing the page, and one run needs one of them.
"""

from __future__ import annotations

import inspect
from collections import UserDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_name, get_group, solve_typer_info_defaults
from typer.models import CommandInfo, TyperInfo

EXAMPLES = {
    "ganzoo sample ganzoo/avatars-64": "draw 64 avatars",
    "ganzoo train dcgan-avatars": "train the demo",
    "ganzoo train dcgan --set dataset.path=FOLDER": "train on your own images",
}
#: the groups of ``ganzoo --help``; those of plugins come after them
PANELS = ("Train", "Use a model", "Measure", "Share", "Look things up", "Extend")


class FrontPage(TyperGroup):
    """The group ``ganzoo``: where to start, and all verbs by purpose.

    A derived class sets ``app``, which has the verbs; typer passes a class nothing of its own.
    """

    app: typer.Typer

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        registered = list(_registered(self.app))
        self.commands = _Commands({name: alone for name, _, alone in registered})
        self.rows = [_outline(name, info) for name, info, _ in registered]

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, without building the commands."""
        return list(self.commands)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the verb."""
        return _pass_what_is_missing(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Start here"):
            formatter.write_dl(list(EXAMPLES.items()), col_max=48)
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for command in self.rows:
            if not command.hidden:
                row = (command.name or "", command.get_short_help_str(200))
                panels.setdefault(command.rich_help_panel or "Other commands", []).append(row)
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


class _Commands(UserDict[str, Any]):
    """Commands by name; each is built when it is first read."""

    def __getitem__(self, name: str) -> Any:
        if isinstance(self.data[name], typer.Typer):
            self.data[name] = get_group(self.data[name]).commands[name]
            _adapt(self.data[name])
        return self.data[name]


def _registered(app: typer.Typer) -> Iterator[tuple[str, CommandInfo | TyperInfo, typer.Typer]]:
    """Yield each command's name, its registration, and an app with this command alone."""
    for command in app.registered_commands:
        assert command.callback
        alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        alone.registered_commands.append(command)
        yield command.name or get_command_name(command.callback.__name__), command, alone
    for group in app.registered_groups:
        info = solve_typer_info_defaults(group)
        if info.name:
            alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            alone.registered_groups.append(group)
            yield info.name, info, alone
        elif group.typer_instance:
            yield from _registered(group.typer_instance)


def _outline(name: str, info: CommandInfo | TyperInfo) -> TyperCommand:
    """Return a command without parameters: what the front page says of it."""
    return TyperCommand(
        name,
        help=inspect.cleandoc(info.help or "") or inspect.getdoc(info.callback),
        short_help=info.short_help,
        hidden=info.hidden,
        deprecated=info.deprecated,
        rich_help_panel=info.rich_help_panel,
    )


def _adapt(command: Any) -> None:
    """Change what typer 0.29 has no setting for, in a command and its subcommands."""
    get_params = command.get_params
    command.get_params = lambda ctx: _pass_what_is_missing(get_params(ctx))
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            _show_plainly(parameter)
    for inner in getattr(command, "commands", {}).values():
        _adapt(inner)


def _show_plainly(argument: Any) -> None:
    """Show an argument as RECIPE, not as {RECIPE} or RECIPE <str>."""
    pieces = argument.get_usage_pieces
    argument.get_usage_pieces = lambda ctx: [
        piece.replace("{", "").replace("}", "") for piece in pieces(ctx)
    ]
    argument.display_type_rich = lambda ctx: None


def _pass_what_is_missing(parameters: list[Any]) -> list[Any]:
    """Let missing values pass: typer would import pydantic to check even those."""
    for parameter in parameters:
        one = not (parameter.required or parameter.multiple) and parameter.nargs == 1
        if one and "process_value" not in vars(parameter):
            parameter.process_value = partial(_process_value, parameter, parameter.process_value)
    return parameters


def _process_value(parameter: Any, check: Callable[..., Any], ctx: Any, value: Any) -> Any:
    if value is not None:
        return check(ctx, value)
    return parameter.callback(ctx, parameter, value) if parameter.callback else value
