"""Every hook of ganzoo, on one screen.

``register_*`` hooks add components: call ``register(name, target)`` once for each, where ``target``
is ``"module:Class"`` (imported only when used) or the class itself; for recipes and benchmarks, the
path of a YAML file.  The other hooks are for observers: they hear what happened and must not change
the training.  Their arguments are theirs to change, except ``run``: its networks must stay in their
mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import typer

    from ganzoo.interfaces import ObservedRun

    Register = Callable[[str, Any], None]

#: raised when the promises to plugins change; a plugin's is ``ganzoo_hooks``, 1 if absent
VERSION = 1

hookspec = pluggy.HookspecMarker("ganzoo")
hookimpl = pluggy.HookimplMarker("ganzoo")


@hookspec
def register_generators(register: Register) -> None:
    """Add networks that make images."""


@hookspec
def register_discriminators(register: Register) -> None:
    """Add networks that judge images."""


@hookspec
def register_encoders(register: Register) -> None:
    """Add networks that turn images into codes."""


@hookspec
def register_losses(register: Register) -> None:
    """Add terms of a player's objective, penalties included."""


@hookspec
def register_datasets(register: Register) -> None:
    """Add sources of training images."""


@hookspec
def register_extractors(register: Register) -> None:
    """Add frozen networks whose features losses and evaluators share."""


@hookspec
def register_evaluators(register: Register) -> None:
    """Add scores."""


@hookspec
def register_transforms(register: Register) -> None:
    """Add differentiable image-to-image functions, for a recipe's ``augment`` and ``views``."""


@hookspec
def register_detectors(register: Register) -> None:
    """Add finders of faces, for ``ganzoo data faces``."""


@hookspec
def register_importers(register: Register) -> None:
    """Add readers of other projects' weights, for ``ganzoo import``."""


@hookspec
def register_recipes(register: Register) -> None:
    """Add recipes: ``register(name, path_of_the_yaml_file)``."""


@hookspec
def register_benchmarks(register: Register) -> None:
    """Add benchmarks: ``register(name, path_of_the_yaml_file)``, under the name in the file."""


@hookspec
def register_commands(cli: typer.Typer) -> None:
    """Add commands to the ``ganzoo`` command line, under names that are not taken.

    To extend a group that exists, such as ``data``, add a group of that name.  A command that takes
    a ``typer.Context`` finds the registry in ``ctx.obj.registry``.
    """


@hookspec
def run_started(run: ObservedRun) -> None:
    """Training begins or resumes at ``run.step``."""


@hookspec
def step_ended(run: ObservedRun, step: int, logs: Mapping[str, Any]) -> None:
    """All players have taken an optimiser step.

    ``logs`` is the row of metrics.jsonl, ``step`` and ``stage`` included; it is empty between log
    intervals.
    """


@hookspec
def samples_drawn(run: ObservedRun, step: int, path: Path) -> None:
    """A grid of samples was written to ``path``."""


@hookspec
def evaluated(run: ObservedRun, step: int, scores: Mapping[str, float]) -> None:
    """A benchmark was measured during training."""


@hookspec
def checkpoint_saved(run: ObservedRun, step: int, path: Path) -> None:
    """A checkpoint is safely on disk at ``path``."""


@hookspec
def run_ended(run: ObservedRun, error: BaseException | None) -> None:
    """Training is over; ``error`` says why if it was cut short."""
