"""Notify observers of a run: plugins with observer hooks, and Accelerate's trackers.

An observer that raises is reported once and switched off for the rest of the run.  Its changes to
gradient mode and thread count are undone, and the training's random numbers do not depend on it.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from PIL import Image

from ganzoo import hookimpl
from ganzoo.errors import RecipeError, nearest, one_of, reason
from ganzoo.plugins.manager import Plugins
from ganzoo.recipe.recipe import without_paths
from ganzoo.text import say
from ganzoo.training.scores import SCORE

if TYPE_CHECKING:
    from ganzoo.interfaces import ObservedRun


class Tracker:
    """One of Accelerate's trackers, as an observer: it logs the rows of metrics.jsonl.

    It also gets the recipe when the run starts, and the sample grids if it can show them.
    """

    def __init__(self, name: str):
        self.name = name

    @hookimpl
    def run_started(self, run: ObservedRun) -> None:
        """Open it, and send the recipe without this machine's paths."""
        kind = LOGGER_TYPE_TO_CLASS[self.name]
        project, options = "ganzoo", dict[str, Any]()
        if self.name == "tensorboard":  # the project is its folder
            # rows after the checkpoint are written again
            project, options = "tensorboard", {"purge_step": run.step + 1 if run.step else 0}
        elif self.name == "wandb":
            options = {"dir": run.path, "name": run.path.resolve().name}
        place = (run.path,) if kind.requires_logging_directory else ()
        self._tracker = kind(project, *place, **options)
        self._tracker.start()
        recipe = without_paths(run.recipe.resolved())
        if self.name == "tensorboard":  # each set of its hparams is an empty run of its own
            text = textwrap.indent(yaml.safe_dump(recipe, sort_keys=False), "    ")
            self._tracker.log({"recipe": text}, step=run.step)
        else:
            self._tracker.store_init_configuration(dict(_settings(recipe)))

    @hookimpl
    def step_ended(self, step: int, logs: Mapping[str, Any]) -> None:
        """Log the numbers of a row of metrics.jsonl."""
        numbers = {k: v for k, v in logs.items() if k != "step" and not isinstance(v, str)}
        if numbers:
            self._tracker.log(numbers, step=step)

    @hookimpl
    def evaluated(self, step: int, scores: Mapping[str, float]) -> None:
        """Log scores under their names in metrics.jsonl."""
        self._tracker.log({SCORE + name: value for name, value in scores.items()}, step=step)

    @hookimpl
    def samples_drawn(self, step: int, path: Path) -> None:
        """Log a grid, if Accelerate passes pictures to this tracker in a known layout."""
        if self.name in _PICTURES:
            picture = np.asarray(Image.open(path))[None]
            self._tracker.log_images({"samples": picture}, step=step, **_PICTURES[self.name])

    @hookimpl
    def run_ended(self) -> None:
        self._tracker.finish()


#: each tracker's option for pictures of (n, height, width, 3)
_PICTURES: dict[str, dict[str, str]] = {"tensorboard": {"dataformats": "NHWC"}, "wandb": {}}


def trackers(names: Iterable[str]) -> list[Tracker]:
    """Build the trackers that a recipe names; raises RecipeError if one is not installed."""
    available = {str(kind.value) for kind in get_available_trackers()}
    for name in names:
        if name not in available:
            package = "'ganzoo[tensorboard]'" if name == "tensorboard" else name
            how = (
                f": pip install {package}"
                if name in LOGGER_TYPE_TO_CLASS
                else f"{nearest(name, LOGGER_TYPE_TO_CLASS)} Accelerate has: "
                f"{one_of(LOGGER_TYPE_TO_CLASS)}."
            )
            raise RecipeError([f"log.trackers: '{name}' is not installed{how}"])
    return [Tracker(name) for name in dict.fromkeys(names)]


def observing(plugins: Plugins, trackers: Iterable[Tracker]) -> Plugins:
    """Return the plugins for one run, with its trackers; switching one off affects no other run."""
    copy = Plugins()
    copy.plugins, copy.registry = plugins.plugins, plugins.registry
    for tracker in trackers:
        copy.manager.register(tracker, f"tracker '{tracker.name}'")
    for name, plugin in plugins.manager.list_name_plugin():
        copy.manager.register(plugin, name)
    return copy


def notify(plugins: Plugins, event: str, **arguments: Any) -> None:
    """Call an observer hook in every plugin that implements it.

    With ``GANZOO_STRICT_PLUGINS=1`` errors of an observer are raised, for its author.
    """
    implementations = list(getattr(plugins.hook, event).get_hookimpls())
    if event == "run_ended":  # close in reverse order, or one writes into another's display
        implementations.reverse()
    for implementation in implementations:
        values = {  # copies of dictionaries, so that each observer may change its own
            name: dict(value) if isinstance(value := arguments[name], dict) else value
            for name in implementation.argnames
        }
        try:
            with _switches_put_back():
                implementation.function(**values)
        except (Exception, SystemExit) as error:
            if os.environ.get("GANZOO_STRICT_PLUGINS") == "1":
                raise
            if plugins.manager.is_registered(implementation.plugin):
                plugins.manager.unregister(implementation.plugin)
                report = _report(plugins, implementation.plugin_name, event, error)
                say(report, err=True)


@contextmanager
def _switches_put_back() -> Iterator[None]:
    """Restore gradient mode and thread count, which would change the training."""
    threads = torch.get_num_threads()
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        try:
            yield
        finally:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


def _report(plugins: Plugins, name: str, event: str, error: BaseException) -> str:
    """Say in one line who failed in what, and what to do."""
    remedy = "metrics.jsonl has every number"
    for plugin in plugins.plugins:
        if str(plugin.origin) == name:
            name = f"observer {name}"
            if not plugin.origin.built_in:
                remedy = f"Update or uninstall '{plugin.origin.distribution}', or tell its author"
    return (
        f"{name} failed in {event} and is switched off: {reason(error)}. The training goes on "
        f"without it. {remedy}; GANZOO_STRICT_PLUGINS=1 stops with the traceback instead."
    )


def _settings(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every setting of a recipe under its ``--set`` name, such as ``stages.0.steps``."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _settings(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
