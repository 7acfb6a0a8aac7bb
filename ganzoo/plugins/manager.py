"""Find, isolate, check and report plugins.

Each entry point of the group ``ganzoo`` is loaded on its own.  A broken one is rolled back as a
whole, remembered with its reason, and never takes the tool down.  ``GANZOO_PLUGINS=a,b`` loads only
those named; ``GANZOO_STRICT_PLUGINS=1`` raises instead of reporting.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, requires
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

import ganzoo
from ganzoo import hookspecs
from ganzoo.errors import PluginError, nearest, one_of, reason
from ganzoo.formats.names import COMPONENT
from ganzoo.hookspecs import VERSION
from ganzoo.plugins.registry import FILE_KINDS, KINDS, PARTS, Origin, Registration, Registry
from ganzoo.plugins.shipped import own_files
from ganzoo.text import aside

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

    import typer
    from typer.models import TyperInfo

GROUP = "ganzoo"
#: every hook, in the order of ``hookspecs.py``
HOOKS = tuple(n for n, spec in vars(hookspecs).items() if hasattr(spec, "ganzoo_spec"))
_HOOK_OF_KIND = {
    "generator": "register_generators",
    "discriminator": "register_discriminators",
    "encoder": "register_encoders",
    "loss": "register_losses",
    "dataset": "register_datasets",
    "extractor": "register_extractors",
    "evaluator": "register_evaluators",
    "transform": "register_transforms",
    "detector": "register_detectors",
    "importer": "register_importers",
    "recipe": "register_recipes",
    "benchmark": "register_benchmarks",
}
assert set(_HOOK_OF_KIND) == {*KINDS, *FILE_KINDS}


@dataclass
class Plugin:
    """One entry point: its origin, its components, or why it cannot be used.

    ``error`` leaves the whole plugin out, ``commands_error`` only its commands; ``warnings`` are
    sentences on parts that work, but not as their author meant.
    """

    origin: Origin
    entry_point: str
    entries: list[Registration] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    error: str | None = None
    commands_error: str | None = None
    warnings: list[str] = field(default_factory=list)
    remedy: str = ""
    traceback: str = ""

    def __str__(self) -> str:
        origin = self.origin
        return (
            f"plugin '{origin.plugin}' ({self.entry_point}) of {origin.distribution} "
            f"{origin.version}"
        )

    def report(self) -> str:
        """One line: what broke, whose it is, and the remedy; empty if all is well."""
        if not (self.error or self.commands_error):
            return f"{self}: {'; '.join(self.warnings)}." if self.warnings else ""
        what = self if self.error else f"the commands of {self}"
        why = self.error or self.commands_error or ""
        stop = "" if why.endswith("?") else "."
        name = self.origin.distribution
        remedy = self.remedy or f"Update or uninstall '{name}', or tell its author"
        return f"{what} cannot be used: {why}{stop} {remedy}; `ganzoo plugins` tells more."


class Plugins:
    """The loaded plugins, their registry, and the hooks for observers."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("ganzoo")
        self.manager.add_hookspecs(hookspecs)
        self.hook = self.manager.hook
        self.registry = Registry()
        self.plugins: list[Plugin] = []

    @property
    def broken(self) -> list[Plugin]:
        """Plugins that cannot be used, or whose commands cannot."""
        return [plugin for plugin in self.plugins if plugin.error or plugin.commands_error]

    @property
    def reports(self) -> list[str]:
        """A line for each plugin with a problem."""
        return list(filter(None, (plugin.report() for plugin in self.plugins)))

    def load_entry_points(self) -> None:
        """Load every installed plugin, or those that ``GANZOO_PLUGINS`` names.

        Raises PluginError if one of them is not installed.
        """

        def built_in_first(point: EntryPoint) -> tuple[bool, str, str]:
            distribution, _ = _distribution(point.dist)
            return distribution != GROUP, point.name, distribution

        points = sorted(entry_points(group=GROUP), key=built_in_first)
        only = os.environ.get("GANZOO_PLUGINS")
        if only is not None:
            names = {point.name for point in points}
            selection = [
                part
                for name in map(str.strip, only.split(","))
                for part in ([name] if name in names else PARTS.get(name, [name]))
                if part
            ]
            for name in selection:
                if name not in names:
                    raise PluginError(
                        f"GANZOO_PLUGINS names '{name}', which is not installed"
                        f"{nearest(name, names)} Installed: {one_of(names)}."
                    )
            points = [point for point in points if point.name in selection]
        for point in points:
            self.load(point)

    def load(self, point: EntryPoint) -> Plugin:
        """Load one entry point; a broken one leaves only its report."""
        distribution, version = _distribution(point.dist)
        # after a broken uninstall, either may be missing
        distribution = distribution or point.value.partition(":")[0]
        origin = Origin(point.name, distribution, version or "unknown")
        return self.add(point.load, origin, point.value)

    def add(self, load: Callable[[], object], origin: Origin, entry_point: str = "") -> Plugin:
        """Load a plugin object by calling ``load()``, check its hooks and take its components."""
        plugin, module = Plugin(origin, entry_point), None
        name = str(origin)
        try:
            if complaint := COMPONENT.check(origin.plugin):
                raise PluginError(f"its entry point: {complaint}")
            for other in self.plugins:  # otherwise plugin/name would be ambiguous
                if other.origin.plugin == origin.plugin and not other.error:
                    raise PluginError(f"its name is taken by {other.origin}")
            with aside():  # keep a plugin's banner out of the output
                module = load()
                if isinstance(module, type):
                    raise PluginError("its entry point names a class; name a module or an instance")
                _check_module(module)
                self.manager.register(module, name)
                plugin.hooks = self._hooks(module)
                plugin.entries = self._collect(module, origin)
        except (Exception, SystemExit) as error:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            plugin.hooks, plugin.error = [], reason(error)
            plugin.remedy = _remedy(origin, module)
            _remember(plugin, error)
        for entry in plugin.entries:
            self.registry.add(entry)
            is_own = entry.kind in FILE_KINDS and entry.name in own_files(entry.kind)
            if not origin.built_in and (is_own or self.registry.shadowed(entry)):
                plugin.warnings.append(
                    f"its {entry.kind} '{entry.name}' has the name of one of ganzoo's own: write "
                    f"'{entry.full_name}' to use it, and tell its author"
                )
        self.plugins.append(plugin)
        return plugin

    def add_commands(self, cli: typer.Typer) -> None:
        """Let every plugin add its commands; if one fails, all its commands are left out.

        A plugin may add to a group that exists: ``ganzoo data`` has commands of several.
        """
        import typer
        from typer.main import get_group

        tree = _commands(cli)
        for implementation in self.hook.register_commands.get_hookimpls():
            app = typer.Typer()
            try:
                with aside():
                    implementation.function(*[app for _ in implementation.argnames])
                get_group(app)  # raises if an option of a command cannot be read
                commands = _commands(app)
                if clash := _clash(commands, tree):
                    raise PluginError(f"there is a command '{clash}' already")
            except (Exception, SystemExit) as error:
                name = implementation.plugin_name
                plugin = next(p for p in self.plugins if str(p.origin) == name)
                plugin.commands_error = reason(error)
                _remember(plugin, error)
                continue
            for name, inner in commands.items():
                tree.setdefault(name, set()).update(inner)
            cli.registered_commands += app.registered_commands
            for group in app.registered_groups:
                _add_group(cli, group)

    def _hooks(self, module: object) -> list[str]:
        hooks = [caller.name for caller in self.manager.get_hookcallers(module) or ()]
        for name in hooks:
            if name not in HOOKS:
                raise PluginError(f"there is no hook '{name}'{nearest(name, HOOKS)}")
        if not hooks:
            raise PluginError("it has no function with the decorator @ganzoo.hookimpl")
        return sorted(hooks, key=HOOKS.index)

    def _collect(self, module: object, origin: Origin) -> list[Registration]:
        entries: dict[tuple[str, str], Registration] = {}
        others = [other for other in self.manager.get_plugins() if other is not module]
        for kind, hook in _HOOK_OF_KIND.items():

            def register(name: str, target: object, kind: str = kind) -> None:
                component = self._target(kind, name, target)
                if (kind, name) in entries:
                    raise PluginError(f"it registers {kind} '{name}' twice")
                entries[kind, name] = Registration(kind, name, component, origin)

            self.manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
        return list(entries.values())

    def _target(self, kind: str, name: object, target: object) -> str | type:
        """Return what a plugin registers; raises PluginError if it is no component or file."""
        if complaint := COMPONENT.check(name):
            raise PluginError(f"it registers a {kind}: {complaint}")
        if kind in FILE_KINDS:
            if isinstance(target, (str, Path)) and Path(target).is_file():
                return str(target)
        elif isinstance(target, str):
            module, _, attribute = target.partition(":")
            if all(part.isidentifier() for part in (*module.split("."), attribute)):
                return target
        elif isinstance(target, type):
            return target
        form = "the path of a file" if kind in FILE_KINDS else "'module:Class' or a class"
        raise PluginError(f"it registers {kind} '{name}' as {target!r}; give {form}")


@cache
def _distribution(distribution: Distribution | None) -> tuple[str, str]:
    """Return name and version; each read of them would parse the metadata again."""
    metadata = distribution.metadata if distribution else None
    name, version = (metadata[k] if metadata and k in metadata else "" for k in ("Name", "Version"))
    return name, version


def _check_module(module: object) -> None:
    """Check the version of its hooks, and that what is named like a hook is an implementation."""
    number = _hooks_version(module)
    if not isinstance(number, int):
        raise PluginError(f"its ganzoo_hooks is {number!r}; give the number {VERSION}")
    if number > VERSION:
        raise PluginError(
            f"it is written for version {number} of ganzoo's hooks, and ganzoo "
            f"{ganzoo.__version__} has version {VERSION}"
        )
    for name in HOOKS:
        function = getattr(module, name, None)
        if not callable(function):
            continue
        if not hasattr(function, "ganzoo_impl"):
            raise PluginError(f"its function {name} lacks the decorator @ganzoo.hookimpl")
        arguments = list(signature(getattr(hookspecs, name)).parameters)
        for parameter in signature(function).parameters.values():
            if parameter.default is parameter.empty and parameter.name not in arguments:
                raise PluginError(
                    f"its {name} takes '{parameter.name}'{nearest(parameter.name, arguments)} "
                    f"It is given: {one_of(arguments)}"
                )


def _commands(cli: typer.Typer) -> dict[str, set[str]]:
    """List each command with its subcommands, without building any; only groups have any."""
    from typer.main import get_command_name, solve_typer_info_defaults

    commands: dict[str, set[str]] = {}
    for command in cli.registered_commands:
        assert command.callback
        commands[command.name or get_command_name(command.callback.__name__)] = set()
    for group in cli.registered_groups:
        assert group.typer_instance
        inner = _commands(group.typer_instance)
        name = solve_typer_info_defaults(group).name
        commands |= {name: set(inner)} if name else inner
    return commands


def _clash(commands: dict[str, set[str]], tree: dict[str, set[str]]) -> str:
    """Return the first command that is taken, or nothing; a group may be in both."""
    for name in sorted(commands.keys() & tree.keys()):
        if not (commands[name] and tree[name]):
            return name
        if both := sorted(commands[name] & tree[name]):
            return f"{name} {both[0]}"
    return ""


def _add_group(cli: typer.Typer, group: TyperInfo) -> None:
    """Add a group to the command line, or its commands to the group of the same name."""
    from typer.main import solve_typer_info_defaults

    name = solve_typer_info_defaults(group).name
    for other in cli.registered_groups:
        if name and solve_typer_info_defaults(other).name == name:
            assert other.typer_instance is not None  # both have commands
            assert group.typer_instance is not None
            union = copy(other.typer_instance)  # its module may use it for another command line
            union.registered_commands = (
                union.registered_commands + group.typer_instance.registered_commands
            )
            union.registered_groups = (
                union.registered_groups + group.typer_instance.registered_groups
            )
            other.typer_instance = union
            return
    cli.registered_groups.append(group)


def _hooks_version(module: object) -> object:
    return getattr(module, "ganzoo_hooks", 1)


def _remedy(origin: Origin, module: object) -> str:
    """Say what to do about a plugin that is too new for this ganzoo; empty for others."""
    try:
        conflict, number = _conflict(origin.distribution), _hooks_version(module)
    except Exception:  # a broken plugin may fail here again
        return ""
    if not conflict and not (isinstance(number, int) and number > VERSION):
        return ""
    needs = f"It needs {conflict}, and this is {ganzoo.__version__}. " if conflict else ""
    return (
        f"{needs}Update ganzoo (pip install -U ganzoo), or install an older "
        f"'{origin.distribution}' or none"
    )


def _conflict(distribution: str) -> str:
    """Return a distribution's requirement of ganzoo, if this ganzoo does not meet it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        needs = [Requirement(text) for text in requires(distribution) or ()]
    except (PackageNotFoundError, InvalidRequirement, ValueError):
        return ""
    for need in needs:
        if need.name == GROUP and not need.specifier.contains(ganzoo.__version__, prereleases=True):
            return str(need)
    return ""


def _remember(plugin: Plugin, error: BaseException) -> None:
    """Keep the full error for ``ganzoo plugins``, or raise it in strict mode."""
    plugin.traceback = "".join(traceback.format_exception(error))
    if os.environ.get("GANZOO_STRICT_PLUGINS") == "1":
        raise PluginError(plugin.report()) from error


@cache
def installed() -> Plugins:
    """Return the installed plugins, loaded once per process."""
    plugins = Plugins()
    plugins.load_entry_points()
    return plugins
