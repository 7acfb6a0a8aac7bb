"""A plugin for ganzoo: say in one line what is new in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register

#: the version of ganzoo's hooks that this plugin uses
ganzoo_hooks = 1


# <generator>
@hookimpl
def register_generators(register: Register) -> None:
    """Add a network that makes images; it is imported when it is used."""
    register("acme", "ganzoo_acme.generator:Upsampler")


# </generator>
# <encoder>
@hookimpl
def register_encoders(register: Register) -> None:
    """Add a network that turns images into codes."""
    register("acme", "ganzoo_acme.encoder:Downsampler")


# </encoder>
# <loss>
@hookimpl
def register_losses(register: Register) -> None:
    """Add a term of the players' objectives."""
    register("acme", "ganzoo_acme.loss:DualContrastive")


# </loss>
# <dataset>
@hookimpl
def register_datasets(register: Register) -> None:
    """Add a source of training images."""
    register("acme", "ganzoo_acme.dataset:Flowers")


# </dataset>
# <evaluator>
@hookimpl
def register_evaluators(register: Register) -> None:
    """Add a score."""
    register("acme", "ganzoo_acme.evaluator:Spectrum")


@hookimpl
def register_benchmarks(register: Register) -> None:
    """Add the benchmark of `ganzoo evaluate MODEL -b acme-32`."""
    register("acme-32", str(Path(__file__).parent / "benchmark.yaml"))


# </evaluator>
@hookimpl
def register_recipes(register: Register) -> None:
    """Add the recipe of `ganzoo train acme`."""
    register("acme", str(Path(__file__).parent / "recipe.yaml"))
