"""The model folder: what generates, the same in a run, on disk and on the Hub.

``config.json`` says how to build the generator through the registry, ``model.safetensors`` holds
its weights; neither can run code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ganzoo import samples
from ganzoo.build import construct
from ganzoo.checkpoint import write_tensors
from ganzoo.errors import DataError, RecipeError, RunError
from ganzoo.files import atomic_folder
from ganzoo.interfaces import Generator, Imported, Importer
from ganzoo.registry import Entry, Registry
from ganzoo.step import Network

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass
class Model:
    """A generator with where it came from."""

    generator: Generator
    config: dict[str, Any]
    path: Path


def save(
    path: Path,
    generator: Generator,
    spec: Mapping[str, Any],
    training: Mapping[str, Any],
    recipe_yaml: str | None = None,
) -> None:
    """Write a model folder as a whole: config, weights, recipe, and 16 samples where it can.

    What was not trained here has no recipe.

    ``spec`` is what ``component`` makes of the generator.
    """
    from_noise = set(Network(generator).reads) <= {"latent", "label"}
    config = {
        "ganzoo_format": FORMAT,
        "generator": dict(spec),
        "input": "noise" if from_noise else "image",
        "output": {"size": generator.size, "channels": 3, "range": [-1, 1], "order": "RGB"},
        "labels": {name: list(values) for name, values in (generator.label or {}).items()} or None,
        "training": dict(training),
    }
    with atomic_folder(path) as folder:
        (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        write_tensors(folder / WEIGHTS, generator.state_dict())
        if recipe_yaml is not None:
            (folder / "recipe.yaml").write_text(recipe_yaml, encoding="utf-8")
        if from_noise:
            samples.write(samples.sample(generator, 16, seed=0), folder / "samples.png")


def component(entry: Entry, use: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says of the generator: its name, its arguments, and whose it is."""
    return {
        "use": use,
        "arguments": arguments,
        "plugin": entry.origin.plugin,
        "distribution": entry.origin.distribution,
        "version": entry.origin.version,
    }


def import_weights(format: str, source: Path, out: Path, registry: Registry) -> Imported:
    """Read another project's weights with the importer ``format`` into the model folder ``out``.

    Raises RecipeError where there is no such importer, RunError where ``out`` is taken, and
    DataError where the weights are not what they should be or do not fit their generator.
    """
    importer: Importer = construct(registry, "importer", format, {})
    try:
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise RunError(f"--out {out} cannot be read: {error.strerror}.") from error
    if taken:
        raise RunError(f"--out {out} exists and is not empty. Name a new folder for the model.")
    read = importer.read(source)
    generator: Generator = construct(registry, "generator", read.generator, read.arguments)
    _fit(read, generator, f"{source}, read as {format},")
    generator.load_state_dict(read.weights)
    generator.eval().requires_grad_(False)
    entry = registry.get("generator", read.generator)
    spec = component(entry, entry.name, read.arguments)
    try:
        save(out, generator, spec, {"imported": {"format": format, **read.source}})
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    return read


def _fit(read: Imported, generator: Generator, what: str) -> None:
    """Raises DataError, which names the tensor, where weights are not the generator's."""
    wanted = generator.state_dict()
    for name, tensor in wanted.items():
        if name not in read.weights:
            raise DataError(f"{what} has no tensor '{name}', which {read.generator} needs.")
        shape, there = tuple(tensor.shape), tuple(read.weights[name].shape)
        if shape != there:
            raise DataError(
                f"{what} has tensor '{name}' of shape {there}, where {read.generator} has {shape}."
            )
        if not read.weights[name].isfinite().all():
            raise DataError(f"{what} has NaN or infinity in tensor '{name}': it is damaged.")
    if extra := sorted(set(read.weights) - set(wanted)):
        raise DataError(
            f"{what} has {len(extra)} tensors that {read.generator} does not know, "
            f"the first '{extra[0]}'."
        )


def find(path: Path) -> Path:
    """The model folder for a run or model folder; raises RunError where there is none."""
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return folder
    if not path.exists():
        raise RunError(
            f"{path} does not exist. Give a run or model folder; `ganzoo train` makes one."
        )
    if (path / "recipe.yaml").is_file():
        raise RunError(
            f"{path} is a run without a model yet: it has not reached its first checkpoint. "
            f"`ganzoo resume {path}` goes on."
        )
    raise RunError(f"{path} is no run and no model: it holds neither {CONFIG} nor model/{CONFIG}.")


def load(path: Path, registry: Registry) -> Model:
    """Build the generator of a run or model folder, in eval mode on the CPU.

    Raises RunError where the folder is incomplete, of a newer format, or needs a plugin.
    """
    folder = find(path)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        version = int(config["ganzoo_format"])
        if version > FORMAT:
            raise RunError(
                f"{folder} has model format {version}; this ganzoo reads up to {FORMAT}. "
                "Update ganzoo."
            )
        spec = config["generator"]
        use, arguments, distribution = spec["use"], spec["arguments"], spec["distribution"]
        if not (isinstance(use, str) and isinstance(arguments, dict)):
            raise TypeError("'use' must be a name and 'arguments' a mapping")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", distribution):
            raise ValueError("'distribution' is no name of one")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder / CONFIG} is no model's config: {error}") from error
    try:
        registry.get("generator", use)
    except RecipeError as error:
        raise RunError(
            f"{folder}: {error}\nThe model was made with generator '{use}' of {distribution} "
            f"{spec.get('version', '')}; `pip install {distribution}` provides it."
        ) from error
    try:
        generator: Generator = construct(registry, "generator", use, arguments)
    except RecipeError as error:
        raise RunError(f"{folder / CONFIG} cannot be built here: {error}") from error
    try:
        generator.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS} does not fit or is damaged: {error}") from error
    generator.eval().requires_grad_(False)
    return Model(generator, config, folder)


def device() -> torch.device:
    """The accelerator if there is one, else the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")
