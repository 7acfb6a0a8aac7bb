"""Register components by kind and name, each with its plugin.

A component is registered as ``"module:Class"`` and imported when it is first built, so that listing
a hundred of them imports none.  A bare name means ganzoo's own component if there is one.  If two
other plugins claim one name, the bare name is refused.  In both cases ``plugin/name`` chooses.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, PluginError, RecipeError, nearest, one_of
from ganzoo.plugins.signature import Signature, read_signature
from ganzoo.text import aside

KINDS = (
    "generator",
    "discriminator",
    "encoder",
    "loss",
    "dataset",
    "extractor",
    "evaluator",
    "transform",
    "detector",
    "importer",
)
#: what plugins add as YAML files
FILE_KINDS = ("recipe", "benchmark")

#: Built-in plugins that now are several: ``data/avatars`` now means ``avatars/avatars``.
PARTS = {"data": ("avatars", "figurines", "folders")}


@dataclass(frozen=True)
class Origin:
    """The source of a component: the plugin (entry point name), its distribution and version."""

    plugin: str
    distribution: str
    version: str

    @property
    def built_in(self) -> bool:
        """Whether it comes with ganzoo."""
        return self.distribution == "ganzoo"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (plugin '{self.plugin}')"


@dataclass(frozen=True)
class Registration:
    """One registered component; ``target`` is ``"module:Class"``, the class, or a file's path."""

    kind: str
    name: str
    target: str | type
    origin: Origin

    @property
    def full_name(self) -> str:
        """``plugin/name``, which no other plugin can claim."""
        return f"{self.origin.plugin}/{self.name}"

    @property
    def file(self) -> Path:
        """The file of a recipe or benchmark, which its ``target`` names."""
        assert isinstance(self.target, str)
        return Path(self.target)

    @property
    def signature(self) -> Signature:
        """Its constructor's parameters and its methods' needs, read from source.

        Raises PluginError if the source is missing.
        """
        try:
            return read_signature(self.target)
        except PluginError as error:
            raise PluginError(
                f"{self.kind} '{self.name}' of {self.origin} cannot be read: {error} Tell the "
                f"plugin's author."
            ) from error

    def load(self) -> type[Any]:
        """Import the component and check that it keeps its kind's promise.

        Raises PluginError if the module does not import, lacks the class, or the class does not
        derive from the interface of its kind.
        """
        from ganzoo import interfaces  # imports torch; listing never does

        target = self.target
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            try:
                with aside():  # keep a plugin's banner out of the output
                    target = getattr(importlib.import_module(module), attribute)
            except Exception as error:
                raise PluginError(
                    f"{self.kind} '{self.name}' of {self.origin} cannot be loaded from "
                    f"'{self.target}': {type(error).__name__}: {error}. "
                    f"Its plugin is broken or misses a package; `ganzoo plugins` tells more."
                ) from error
        base = getattr(interfaces, self.kind.capitalize())
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginError(
                f"{self.kind} '{self.name}' of {self.origin} is {target!r}, which does not derive "
                f"from ganzoo.interfaces.{base.__name__}. Tell the plugin's author."
            )
        return target


class Registry:
    """All entries of all plugins."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, list[Registration]]] = {
            k: {} for k in (*KINDS, *FILE_KINDS)
        }

    def add(self, entry: Registration) -> None:
        """Add one entry.  Two plugins may add the same name; it is refused when it is used."""
        self._entries[entry.kind].setdefault(entry.name, []).append(entry)

    def entries(self, kind: str) -> Iterator[Registration]:
        """Yield all entries of one kind, sorted by name, clashing ones included."""
        for name in sorted(self._entries[kind]):
            yield from self._entries[kind][name]

    def names(self, kind: str) -> list[str]:
        """List the names that a recipe can use, clashing ones as ``plugin/name``."""
        return [e.full_name if self.clashes(e) else e.name for e in self.entries(kind)]

    def clashes(self, entry: Registration) -> bool:
        """Whether other plugins register the same bare name, so that it does not mean ``entry``."""
        return _meant(self._entries[entry.kind][entry.name]) is not entry

    def shadowed(self, entry: Registration) -> bool:
        """Whether the bare name means another component, one of ganzoo's own."""
        entry_of_name = _meant(self._entries[entry.kind][entry.name])
        return entry_of_name not in (None, entry)

    def get(self, kind: str, name: str) -> Registration:
        """Find the entry for ``name`` or ``plugin/name``.

        Raises RecipeError if there is none, or if two plugins claim the name and neither is
        ganzoo's own.
        """
        plugin, _, bare = name.rpartition("/")
        entries = self._entries[kind].get(bare, [])
        if plugin:
            parts = PARTS.get(plugin, ())
            entries = [entry for entry in entries if entry.origin.plugin == plugin] or [
                entry for entry in entries if entry.origin.built_in and entry.origin.plugin in parts
            ]
        if not entries:
            names = self.names(kind)
            raise RecipeError(
                [f"unknown {kind} '{name}'{nearest(name, names)} Available: {one_of(names)}."]
            )
        entry_of_name = _meant(entries)
        if entry_of_name is None:
            who = " and ".join(str(entry.origin) for entry in entries)
            choices = " or ".join(f"'{entry.full_name}'" for entry in entries)
            raise RecipeError(
                [f"{kind} '{name}' is registered by both {who}: write {choices} to choose one."]
            )
        return entry_of_name

    def install_hint(self, requirements: Mapping[str, str]) -> str:
        """Say how to install what is missing of ``requirements``, distribution -> version.

        Empty, or sentences with a space before them.
        """
        kinds = self._entries.values()
        origins = [e.origin for kind in kinds for entries in kind.values() for e in entries]
        versions = {canonical(origin.distribution): origin.version for origin in origins}
        return "".join(
            f" It needs {name} {number}{_remedy(name, number, versions.get(canonical(name)))}"
            for name, number in requirements.items()
            if versions.get(canonical(name)) != number
        )


def canonical(distribution: str) -> str:
    """Normalise a distribution's name (PEP 503)."""
    return re.sub("[-_.]+", "-", distribution).lower()


def _remedy(distribution: str, requirement: str, active: str | None) -> str:
    """Say how to get a version of a distribution, of which ``active`` is in use."""
    command = f"If you trust it: pip install '{distribution}=={requirement}'"
    try:
        here = active or version(distribution)
    except PackageNotFoundError:
        return f", which is not installed. {command}"
    if active is None:
        return f"; {here} is installed and not in use: `ganzoo plugins` says why."
    return f"; {here} is installed. {command}"


def _meant(entries: list[Registration]) -> Registration | None:
    """Resolve a bare name: the only entry, or ganzoo's own."""
    choices = entries if len(entries) == 1 else [e for e in entries if e.origin.built_in]
    return choices[0] if choices else None


def construct(registry: Registry, kind: str, use: str, arguments: Mapping[str, Any]) -> Any:
    """Import and construct one component.  If its constructor refuses, the error names it."""
    component = registry.get(kind, use).load()
    try:
        with aside():  # whatever its constructor prints must not mix with data
            return component(**arguments)
    except GanzooError:
        raise
    except Exception as error:
        what = "" if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: "
        raise RecipeError([f"{kind} '{use}': {what}{error}"]) from error
