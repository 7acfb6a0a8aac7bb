"""A contract: one promise of one component, to be called.

Nothing heavy is imported before ``contracts`` is called, as pytest imports this package wherever
ganzoo is installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.plugins.signature import docstring
from ganzoo.testing.attempt import Unavailable, attempt

if TYPE_CHECKING:
    from ganzoo.plugins.manager import Plugins
    from ganzoo.testing.subject import Subject

    Promise = Callable[[Subject], None]


@dataclass(frozen=True)
class Contract:
    """One promise of one component; call it to test it.

    ``component`` is the kind and the registered name, ``generator acme``; ``promise`` a part of a
    sentence, ``gradients reach every parameter``.
    """

    component: str
    promise: str
    check: Callable[[], None] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.component}: {self.promise}"

    @property
    def id(self) -> str:
        """The same as one word, for the names of tests."""
        return re.sub(r"[^\w.]+", "-", str(self)).strip("-")

    def __call__(self) -> None:
        """Try it.

        Raises AssertionError with the evidence if the promise is broken, and ``Unavailable`` if it
        cannot be tested here.  Random states, threads, environment variables and the current folder
        are restored; nothing is downloaded.
        """
        with _undisturbed():
            attempt("it", self.check)


def contracts(
    name: str,
    plugins: Plugins | None = None,
    arguments: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Contract]:
    """List a contract for every promise of every component of the plugin ``name``.

    ``plugins`` defaults to the installed ones.  ``arguments`` are of constructors, ``{"dataset
    acme": {"path": "..."}}``, for those that the contracts cannot make up.

    Raises PluginError if the plugin does not exist or is broken, or if ``arguments`` are for a
    component that none of ``plugins`` has.
    """
    from ganzoo.errors import PluginError, nearest, one_of
    from ganzoo.plugins.manager import installed
    from ganzoo.testing.subject import Subject
    from ganzoo.testing.workspace import Workspace

    plugins = plugins or installed()
    by_name = {plugin.origin.plugin: plugin for plugin in plugins.plugins if not plugin.error}
    if name not in by_name:
        if failures := [plugin for plugin in plugins.plugins if plugin.origin.plugin == name]:
            raise PluginError(failures[0].report())
        raise PluginError(
            f"there is no plugin '{name}'{nearest(name, by_name)} Installed: {one_of(by_name)}."
        )
    arguments, workspace = arguments or {}, Workspace()
    subjects = [Subject(entry, plugins, workspace, arguments) for entry in by_name[name].entries]
    names = [
        f"{entry.kind} {entry.name}" for plugin in by_name.values() for entry in plugin.entries
    ]
    if strangers := [component for component in arguments if component not in names]:
        raise PluginError(
            f"arguments are given for '{strangers[0]}', which no plugin registers"
            f"{nearest(strangers[0], names)} Plugin '{name}' has: {one_of(map(str, subjects))}."
        )
    return [
        Contract(str(subject), _said(promise), partial(promise, subject))
        for subject in subjects
        for promise in _promises(subject)
    ]


def _promises(subject: Subject) -> list[Promise]:
    """Return the promises of a component of its kind."""
    from ganzoo.testing import (
        benchmarks,
        components,
        datasets,
        discriminators,
        encoders,
        evaluators,
        extractors,
        generators,
        losses,
        others,
        recipes,
        transforms,
    )

    if subject.entry.kind == "recipe":
        return [recipes.loads_and_checks]
    if subject.entry.kind == "benchmark":
        return [benchmarks.loads_under_its_name]
    if not subject.is_sound:
        return [components.can_be_imported]
    by_kind = {
        "generator": generators.promises,
        "discriminator": discriminators.promises,
        "encoder": encoders.promises,
        "loss": losses.promises,
        "dataset": datasets.promises,
        "extractor": extractors.promises,
        "evaluator": evaluators.promises,
        "transform": transforms.promises,
        "detector": others.of_detectors,
        "importer": others.of_importers,
    }
    return [*components.PROMISES, *by_kind[subject.entry.kind](subject)]


def _said(promise: Promise) -> str:
    """Turn the docstring's first line into a part of a sentence."""
    line = docstring(promise).partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Use one thread, no downloads and no log; restore the process at the end."""
    import logging
    import random

    import numpy as np
    import torch

    from ganzoo.files import without_downloads

    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    states, quiet = (random.getstate(), np.random.get_state()), logging.root.manager.disable
    environment, folder = {**os.environ}, _here()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng(devices), torch.enable_grad(), without_downloads():
            yield
    finally:
        logging.disable(quiet)
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        random.setstate(states[0])
        np.random.set_state(states[1])
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        if folder and _here() != folder:
            os.chdir(folder)


def _here() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # the folder was removed
        return None


__all__ = ["Contract", "Unavailable", "contracts"]
