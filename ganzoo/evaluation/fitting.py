"""Find the benchmarks that suit a model, by its input and its size."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.errors import RecipeError
from ganzoo.models.config import Config
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_benchmarks
from ganzoo.recipe.benchmark import Benchmark, load_benchmark
from ganzoo.recipe.inputs import absent_folders
from ganzoo.recipe.vocabulary import provided_fields


@dataclass(frozen=True)
class Fit:
    """A benchmark that fits; ``wants`` are the dataset's arguments whose folders are missing."""

    name: str
    wants: tuple[str, ...]


def fitting(config: Config | None, registry: Registry) -> list[Fit]:
    """List the shipped benchmarks that fit a model, those on its training data first.

    Without a ``config``, as for a folder of images, return all.
    """
    loaded = [_read(name, registry) for name in shipped_benchmarks()]
    fit = [one for one in loaded if one and (config is None or _fits(one, config, registry))]
    trained = (config.training.get("dataset") or {}) if config else {}
    fit.sort(key=lambda one: one.dataset.use != trained.get("use"))
    return [Fit(one.name, tuple(absent_folders(one.dataset, registry))) for one in fit]


def _read(name: str, registry: Registry) -> Benchmark | None:
    try:
        return load_benchmark(name, (), registry)
    except RecipeError:  # a component's plugin is missing
        return None


def _fits(benchmark: Benchmark, config: Config, registry: Registry) -> bool:
    signature = registry.get("dataset", benchmark.dataset.use).signature
    fields = signature.attributes.get("fields") or {}
    given = provided_fields(fields, signature.optional, benchmark.dataset.arguments)
    pictures = [word for word, what in given.items() if what == "image" and word != "real"]
    size = benchmark.dataset.arguments.get("size")
    if config.output.size not in (None, size):
        return False
    if config.input.kind == "noise":
        return not pictures
    needed = [word for word in config.input.words if word not in ("latent", "label")]
    return all(word in given for word in needed)
