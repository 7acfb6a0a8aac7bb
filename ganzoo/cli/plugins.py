"""``ganzoo plugins``: list the installed ones, make a new one, check one's promises."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli.options import Json
from ganzoo.errors import PluginError, nearest
from ganzoo.plugins.registry import KINDS, canonical
from ganzoo.recipe.listing import LISTS, plural
from ganzoo.text import say, say_json

if TYPE_CHECKING:
    from ganzoo.plugins.manager import Plugin, Plugins

plugins_app = typer.Typer(invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(plugins_app, name="plugins", rich_help_panel="Extend")


@plugins_app.callback()
def plugins(ctx: typer.Context, as_json: Json = False) -> None:
    """List plugins, make a new one, or check one."""
    if ctx.invoked_subcommand is None:
        list_plugins(as_json)
    elif as_json:
        raise PluginError(f"write --json at the end: ganzoo plugins {ctx.invoked_subcommand} ...")


# -- list -------------------------------------------------------------------------------------


@plugins_app.command("list")
def list_plugins(as_json: Json = False) -> None:
    """List installed plugins and their problems."""
    from ganzoo.plugins.manager import installed

    plugins, registry = installed().plugins, installed().registry
    if as_json:
        say_json(
            [
                {
                    "plugin": plugin.origin.plugin,
                    "distribution": plugin.origin.distribution,
                    "version": plugin.origin.version,
                    "entry_point": plugin.entry_point,
                    "components": [f"{e.kind} {e.name}" for e in plugin.entries],
                    "hooks": plugin.hooks,
                    "error": plugin.error,
                    "commands_error": plugin.commands_error,
                    "warnings": plugin.warnings,
                }
                for plugin in plugins
            ]
        )
        return
    for plugin in plugins:
        _headline(plugin)
        parts = {
            plural(kind): sorted(e.name for e in plugin.entries if e.kind == kind) for kind in LISTS
        }
        parts["hooks"] = [
            hook
            for hook in plugin.hooks
            if hook == "register_commands" or not hook.startswith("register_")
        ]
        for what, names in parts.items():
            if names:
                start = f"  {what:15}"
                column = " " * len(start)
                say(
                    *textwrap.wrap(
                        ", ".join(names), 88, initial_indent=start, subsequent_indent=column
                    )
                )
        for entry in plugin.entries:
            is_used = entry.kind in KINDS and not registry.shadowed(entry)
            if is_used and registry.clashes(entry):
                what = f"{entry.kind} '{entry.name}'"
                say(f"  another plugin has a {what}: write '{entry.full_name}'")
        for warning in plugin.warnings:
            say(f"  WARNING: {warning}")
        if plugin.error or plugin.commands_error:
            say(f"  BROKEN: {plugin.report()}")
            say(*(f"    {line}" for line in plugin.traceback.rstrip().splitlines()))


def _headline(plugin: Plugin) -> None:
    say(plugin.origin.plugin, bold=True, nl=False)
    say(f"  {plugin.origin.distribution} {plugin.origin.version}")


# -- new --------------------------------------------------------------------------------------


@plugins_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As acme, for ganzoo-acme.")],
    parts: Annotated[
        str, typer.Option("--with", metavar="PARTS", help="Of generator, encoder, loss, ...")
    ] = "generator,loss,dataset,evaluator",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The new folder; default ganzoo-NAME.")
    ] = None,
    author: Annotated[
        str, typer.Option(metavar="TEXT", help="A name, or 'Name <email>'; default none.")
    ] = "",
) -> None:
    """Write the package of a new plugin, ready to use."""
    from ganzoo.plugins.manager import installed
    from ganzoo.plugins.scaffold import chosen_parts, create, usable_name

    kinds = chosen_parts(parts)
    name = usable_name(name, installed())
    folder = out or Path(f"ganzoo-{name}")
    create(name, kinds, folder, author)
    say(f"{folder}: plugin '{name}' with {', '.join(kinds)} and a recipe; next:")
    # needed if `ganzoo` and `pip` would not be those of this environment
    script, command = Path(sys.executable).with_name("activate"), shutil.which("ganzoo")
    is_active = command and Path(command).parent == script.parent
    activation = [] if is_active or not script.is_file() else [f". {shlex.quote(str(script))}"]
    for line in (
        *activation,
        f"cd {shlex.quote(str(folder))}",
        "pip install -e '.[dev]'",
        f"ganzoo plugins check {name}",
        "pytest",
        f"ganzoo train {name}",
    ):
        say(f"  {line}")


# -- check ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The result of one promise: ``kept``, ``broken`` or ``not checked``, and why."""

    promise: str
    result: str
    message: str = ""


@plugins_app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, or its distribution.")],
    as_json: Json = False,
) -> None:
    """Test what a plugin's components promise; exit code 1 if one fails."""
    from ganzoo.plugins.manager import installed

    results = [(plugin, _outcomes(plugin)) for plugin in _named(name, installed())]
    if as_json:
        say_json(
            [
                {
                    "plugin": plugin.origin.plugin,
                    "distribution": plugin.origin.distribution,
                    "version": plugin.origin.version,
                    "components": [
                        {
                            "component": component,
                            "verdict": _verdict(outcomes),
                            "promises": [dataclasses.asdict(outcome) for outcome in outcomes],
                        }
                        for component, outcomes in components.items()
                    ],
                }
                for plugin, components in results
            ]
        )
    else:
        for plugin, components in results:
            _headline(plugin)
            for component, outcomes in components.items():
                _say_outcomes(component, outcomes)
            if plugin.commands_error:
                say("  commands: ", nl=False)
                say("FAILED", colour="red")
                say(f"    {plugin.commands_error}")
            if not components:
                say("  it registers no components, so there is nothing to check")
    every = [outcomes for _, components in results for outcomes in components.values()]
    failures = sum(_verdict(outcomes) == "FAILED" for outcomes in every)
    if not as_json and every:
        promises = _counted([outcome for outcomes in every for outcome in outcomes])
        say(f"{_number(len(every), 'component')}, {failures} failed: {promises}")
    if failures or any(plugin.commands_error for plugin, _ in results):
        raise typer.Exit(1)


def _named(name: str, plugins: Plugins) -> list[Plugin]:
    """Return the plugin of that name, or all plugins of the distribution of that name."""
    matches = [p for p in plugins.plugins if p.origin.plugin == name] or [
        p for p in plugins.plugins if canonical(p.origin.distribution) == canonical(name)
    ]
    if not matches:
        names = {n for p in plugins.plugins for n in (p.origin.plugin, p.origin.distribution)}
        raise PluginError(
            f"no plugin '{name}' is installed{nearest(name, names)} `ganzoo plugins` lists them."
        )
    usable = [plugin for plugin in matches if not plugin.error]
    if not usable:
        raise PluginError(matches[0].report())
    return usable


def _outcomes(plugin: Plugin) -> dict[str, list[Outcome]]:
    """Test each component's promises."""
    from ganzoo.progress import progress
    from ganzoo.testing import Unavailable, contracts

    name = plugin.origin.plugin
    promises = contracts(name)
    outcomes: dict[str, list[Outcome]] = {}
    with progress(f"checking {name}", len(promises), "promises") as advance:
        for contract in promises:
            try:
                contract()
                outcome = Outcome(contract.promise, "kept")
            except Unavailable as reason:
                outcome = Outcome(contract.promise, "not checked", str(reason))
            except AssertionError as error:
                outcome = Outcome(contract.promise, "broken", str(error))
            outcomes.setdefault(contract.component, []).append(outcome)
            advance(1)
    return outcomes


def _verdict(outcomes: Sequence[Outcome]) -> str:
    results = {outcome.result for outcome in outcomes}
    if "broken" in results:
        return "FAILED"
    if "not checked" in results:
        return "in part" if "kept" in results else "not checked"
    return "ok"


def _say_outcomes(component: str, outcomes: Sequence[Outcome]) -> None:
    """Print the verdict on a component, and every promise that is not kept."""
    verdict = _verdict(outcomes)
    say(f"  {component}: ", nl=False)
    say(verdict, colour={"FAILED": "red", "ok": "green"}.get(verdict), nl=False)
    say(f", {_counted(outcomes)}")
    for outcome in outcomes:
        if outcome.result != "kept":
            say(f"    {outcome.result}: {outcome.promise}")
            say(*(f"{'':6}{line}" for line in outcome.message.splitlines()))


def _counted(outcomes: Sequence[Outcome]) -> str:
    """Count outcomes: ``9 promises kept, 1 broken``."""
    counts = Counter(outcome.result for outcome in outcomes)
    parts = [f"{_number(counts['kept'], 'promise')} kept"]
    parts += [
        f"{counts[result]} {result}" for result in ("broken", "not checked") if counts[result]
    ]
    return ", ".join(parts)


def _number(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")
