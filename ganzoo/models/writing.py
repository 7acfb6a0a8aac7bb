"""Write model folders: of a training, of other projects' weights, of a computation."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.files import atomic_folder
from ganzoo.formats.types import written
from ganzoo.interfaces import Generator, Imported, Importer
from ganzoo.models import config as configs
from ganzoo.models import samples, weights
from ganzoo.models.composed import Composed, bare
from ganzoo.models.config import WEIGHTS, Config, Input, Licences, Output, Part
from ganzoo.models.folder import CONFIG, RECIPE, SAMPLES, refuse_taken
from ganzoo.models.framing import Framing
from ganzoo.models.network import Network
from ganzoo.models.weights import write_tensors
from ganzoo.plugins.registry import Registry, construct

#: pictures in ``samples.png``
SAMPLE_COUNT = 16


def save(
    path: Path,
    generator: Generator,
    parts: Mapping[str, Part],
    training: Mapping[str, Any],
    recipe_yaml: str | None = None,
    data_licence: str | None = None,
    of_code: bool = False,
    others: Mapping[str, nn.Module] | None = None,
    face: Framing | None = None,
    conditions: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder as a whole: config, weights, recipe, and 16 samples if possible.

    A model that was not trained here has no recipe.  ``parts`` holds ``config.part`` of the
    ``generator``, perhaps the ``discriminator`` and other roles; ``data_licence`` is that of the
    images.  A model ``of_code`` alone is under the code's licence as a whole.  ``others`` are the
    networks beside the generator that the folder holds, by role.  ``face`` says how its photos of
    faces were cropped.  ``conditions`` are what the samples show, for a generator that reads some.
    """
    takes, makes, labels = described(generator)
    with atomic_folder(path) as folder:
        file = folder / WEIGHTS["generator"]
        write_tensors(file, bare(generator).state_dict())
        code = configs.code_licence(parts["generator"].distribution)
        files = {file.name: weights.describe(file, bare(generator))}
        for role, network in (others or {}).items():
            file = folder / configs.weights_file(role)
            write_tensors(file, network.state_dict())
            files[file.name] = weights.describe(file, network)
        config = Config(
            generator=parts["generator"],
            discriminator=parts.get("discriminator"),
            input=takes,
            output=makes,
            labels=labels,
            plugins={part.distribution: part.version for part in parts.values()},
            files=files,
            licences=Licences(code, code if of_code else None, code if of_code else data_licence),
            training=dict(training),
            networks={
                role: part for role, part in parts.items() if isinstance(part, configs.Network)
            },
            face=face if takes.kind == "image" else None,
            views=generator.made if isinstance(generator, Composed) else {},
        )
        (folder / CONFIG).write_text(configs.text(config), encoding="utf-8")
        if recipe_yaml is not None:
            (folder / RECIPE).write_text(recipe_yaml, encoding="utf-8")
        if takes.kind == "noise":
            told = conditions or None
            pictures = samples.stream(generator, SAMPLE_COUNT, seed=0, conditions=told)
            with suppress(RunError):  # it draws only from a condition, and there is none
                samples.write(pictures, SAMPLE_COUNT, folder / SAMPLES)


def described(generator: Generator) -> tuple[Input, Output, dict[str, list[str]] | None]:
    """Describe a generator for a config: its input, output and labels."""
    words = Network(generator).reads
    from_noise = set(words) <= {"latent", "label", *generator.conditions}
    size = None if from_noise or not generator.size else generator.size // generator.output_scale
    takes = Input("noise" if from_noise else "image", words, size)
    labels = {name: list(values) for name, values in (generator.label or {}).items()}
    makes = Output(generator.size, 3, [-1.0, 1.0], "RGB", generator.output_scale)
    return takes, makes, labels or None


def refuse_untrue(config: Config, generator: Generator, folder: Path) -> None:
    """Raise RunError if a config contradicts its generator."""
    takes, makes, labels = described(generator)
    for key, record, actual in (
        ("input.kind", config.input.kind, takes.kind),
        ("input.size", config.input.size, takes.size),
        ("output.size", config.output.size, makes.size),
        ("output.scale", config.output.scale, makes.scale),
        ("labels", config.labels or None, labels),
    ):
        if record != actual:
            raise RunError(
                f"{folder / CONFIG} is not true: {key} is {written(record)} in it, and the "
                f"generator's is {written(actual)}. Get the folder again, or correct it."
            )


def new(use: str, arguments: Mapping[str, Any], out: Path, registry: Registry) -> None:
    """Write a model folder of a generator without parameters; ``arguments`` include defaults.

    Raises RecipeError for an unknown generator or a bad argument, and RunError if it has weights to
    learn or ``out`` is taken.
    """
    refuse_taken(out)
    generator: Generator = construct(registry, "generator", use, arguments)
    if count := sum(tensor.numel() for tensor in generator.state_dict().values()):
        raise RunError(
            f"generator '{use}' has {count:,} weights, which somebody must train first: put it "
            "into a recipe, for `ganzoo train`; or `ganzoo import` some. `ganzoo model new` is for "
            "generators that have none, such as xdog."
        )
    generator.eval()
    entry = registry.get("generator", use)
    parts = {"generator": configs.part(entry, use, arguments)}
    try:
        save(out, generator, parts, {"computed": True}, of_code=True)
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error


def import_weights(format: str, source: Path, out: Path, registry: Registry) -> Imported:
    """Read another project's weights with the importer ``format`` into the model folder ``out``.

    Raises RecipeError for an unknown importer, RunError if ``out`` is taken, and DataError if the
    weights are invalid or do not fit their generator.
    """
    importer: Importer = construct(registry, "importer", format, {})
    refuse_taken(out)
    result = importer.read(source)
    generator: Generator = construct(registry, "generator", result.generator, result.arguments)
    what = f"{source}, read as {format},"
    shapes = {name: tuple(tensor.shape) for name, tensor in result.weights.items()}
    weights.check(shapes, generator.state_dict(), what, result.generator)
    weights.refuse_nonfinite(result.weights, what)
    generator.load_state_dict(result.weights)
    generator.eval().requires_grad_(False)
    entry = registry.get("generator", result.generator)
    parts = {"generator": configs.part(entry, entry.name, result.arguments)}
    try:
        save(out, generator, parts, {"imported": {"format": format, **result.source}})
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    return result
