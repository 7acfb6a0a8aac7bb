"""Find the benchmarks that suit a model, by its input and its size."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ganzoo.errors import RecipeError
from ganzoo.models.config import Config
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_benchmarks
from ganzoo.recipe.benchmark import Benchmark, load_benchmark
from ganzoo.recipe.inputs import absent_folders
from ganzoo.recipe.vocabulary import provided_fields


@dataclass(frozen=True)
class SuitableBenchmark:
    """A benchmark's name; ``wants`` are the dataset's arguments whose folders are missing."""

    name: str
    wants: tuple[str, ...]


def suitable_benchmarks(config: Config | None, registry: Registry) -> list[SuitableBenchmark]:
    """List the benchmarks with a name that suit a model, those on its training data first.

    Without a ``config``, as for a folder of images, returns all.
    """
    datasets = {}
    for name in shipped_benchmarks(registry):
        with suppress(RecipeError):  # a component's plugin is missing, or a plugin's file is broken
            benchmark = load_benchmark(name, (), registry)
            if config is None or _suits(benchmark, config, registry):
                datasets[name] = benchmark.dataset
    theirs = (config.training.get("dataset") or {}) if config else {}
    return [
        SuitableBenchmark(name, tuple(absent_folders(dataset, registry)))
        for name, dataset in sorted(
            datasets.items(), key=lambda item: item[1].use != theirs.get("use")
        )
    ]


def _suits(benchmark: Benchmark, config: Config, registry: Registry) -> bool:
    spec = benchmark.dataset
    signature = registry.get("dataset", spec.use).signature
    fields = provided_fields(
        signature.attributes.get("fields") or {}, signature.optional, spec.arguments
    )
    if config.output.size not in (None, spec.arguments.get("size")):
        return False
    has_words = all(
        word in fields for word in config.input.words if word not in ("latent", "label")
    )
    if config.input.kind == "noise":
        is_of_photos = any(kind == "image" for word, kind in fields.items() if word != "real")
        return has_words and not is_of_photos
    return has_words
