"""Find, isolate, check and report plugins.

Each entry point of the group ``ganzoo`` is loaded on its own.  A broken one is rolled back as a
whole, remembered with its reason, and never takes the tool down.  ``GANZOO_PLUGINS=a,b`` loads
only those named; ``GANZOO_STRICT_PLUGINS=1`` raises instead of reporting.
"""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from ganzoo import hookspecs
from ganzoo.errors import PluginError, nearest
from ganzoo.registry import KINDS, Entry, Origin, Registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import typer

GROUP = "ganzoo"
_HOOK_OF_KIND = {
    "generator": "register_generators",
    "discriminator": "register_discriminators",
    "loss": "register_losses",
    "dataset": "register_datasets",
    "extractor": "register_extractors",
    "evaluator": "register_evaluators",
    "transform": "register_transforms",
    "recipe": "register_recipes",
}
assert set(_HOOK_OF_KIND) == {*KINDS, "recipe"}


@dataclass
class Plugin:
    """One entry point: where it came from, what it registered, or why it could not."""

    origin: Origin
    entry_point: str
    entries: list[Entry] = field(default_factory=list)
    error: str | None = None
    traceback: str = ""

    def report(self) -> str:
        """One line: what broke, whose it is, and the remedy."""
        return (
            f"plugin '{self.origin.plugin}' ({self.entry_point}) of {self.origin.distribution} "
            f"{self.origin.version} is left out: {self.error}. Update or uninstall "
            f"'{self.origin.distribution}', or tell its author; `ganzoo plugins` tells more."
        )


class Plugins:
    """The loaded plugins, the registry they filled, and the hooks observers listen to."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("ganzoo")
        self.manager.add_hookspecs(hookspecs)
        self.hook = self.manager.hook
        self.registry = Registry()
        self.plugins: list[Plugin] = []

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that were left out."""
        return [plugin for plugin in self.plugins if plugin.error]

    def load_entry_points(self) -> None:
        """Load every installed plugin, or those that ``GANZOO_PLUGINS`` names."""
        found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
        only = os.environ.get("GANZOO_PLUGINS")
        if only is not None:
            wanted = [name.strip() for name in only.split(",") if name.strip()]
            names = [point.name for point in found]
            for name in wanted:
                if name not in names:
                    raise PluginError(
                        f"GANZOO_PLUGINS names '{name}', which is not installed"
                        f"{nearest(name, names)} Installed: {', '.join(names)}."
                    )
            found = [point for point in found if point.name in wanted]
        for point in found:
            self.load(point)

    def load(self, point: EntryPoint) -> None:
        """Load one entry point; a broken one leaves no trace but its report."""
        distribution = point.dist.name if point.dist else point.value.partition(":")[0]
        version = point.dist.version if point.dist else "unknown"
        origin = Origin(point.name, distribution, version)
        self.add(point.load, origin, point.value)

    def add(self, load: Any, origin: Origin, entry_point: str = "") -> Plugin:
        """Load a plugin object by calling ``load()``, check its hooks and take its components."""
        plugin = Plugin(origin, entry_point)
        self.plugins.append(plugin)
        module = None
        try:
            module = load()
            self.manager.register(module, name=f"{origin.distribution}:{origin.plugin}")
            self._refuse_unknown_hooks(module)
            plugin.entries = self._collect(module, origin)
            for entry in plugin.entries:
                self.registry.add(entry)
        except Exception as error:
            if module is not None and self.manager.is_registered(module):
                self.manager.unregister(module)
            plugin.entries = []
            plugin.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
            plugin.traceback = traceback.format_exc()
            if os.environ.get("GANZOO_STRICT_PLUGINS") == "1":
                raise PluginError(plugin.report()) from error
        return plugin

    def add_commands(self, cli: typer.Typer) -> None:
        """Let every plugin add its commands; one that fails is reported and left out."""
        for implementation in list(self.hook.register_commands.get_hookimpls()):
            try:
                implementation.function(cli)
            except Exception as error:
                print(
                    f"warning: the commands of {implementation.plugin_name} are left out: "
                    f"{type(error).__name__}: {error}",
                    file=sys.stderr,
                )

    def _refuse_unknown_hooks(self, module: Any) -> None:
        specs = [name for name in vars(hookspecs) if _is_spec(name)]
        for caller in self.manager.get_hookcallers(module) or []:
            if caller.name not in specs:
                raise PluginError(f"unknown hook '{caller.name}'{nearest(caller.name, specs)}")

    def _collect(self, module: Any, origin: Origin) -> list[Entry]:
        entries: list[Entry] = []
        for kind, hook in _HOOK_OF_KIND.items():
            seen: set[str] = set()

            def register(name: str, target: Any, kind: str = kind, seen: set[str] = seen) -> None:
                _check_registration(kind, name, target)
                if name in seen:
                    raise PluginError(f"it registers {kind} '{name}' twice")
                if kind == "recipe" and name in self.registry.recipes:
                    owner = self.registry.recipes[name].origin
                    raise PluginError(f"recipe '{name}' is registered by {owner} already")
                seen.add(name)
                entries.append(Entry(kind, name, target, origin))

            others = [other for other in self.manager.get_plugins() if other is not module]
            self.manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
        return entries


def _is_spec(name: str) -> bool:
    return hasattr(getattr(hookspecs, name), "ganzoo_spec")


def _check_registration(kind: str, name: Any, target: Any) -> None:
    if not (isinstance(name, str) and name and "/" not in name and name == name.strip()):
        raise PluginError(f"it registers a {kind} under {name!r}, which is no name")
    if kind == "recipe":
        good = isinstance(target, (str, Path))
    elif isinstance(target, str):
        module, _, attribute = target.partition(":")
        good = attribute.isidentifier() and all(p.isidentifier() for p in module.split("."))
    else:
        good = isinstance(target, type)
    if not good:
        raise PluginError(
            f"it registers {kind} '{name}' as {target!r}; "
            f"give {'a path' if kind == 'recipe' else 'a class or a string module:Class'}"
        )


@cache
def installed() -> Plugins:
    """The installed plugins, loaded once per process."""
    plugins = Plugins()
    plugins.load_entry_points()
    return plugins
