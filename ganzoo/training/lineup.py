"""A lineup: what several models draw of the same latents, or of the same photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from ganzoo.errors import DataError, GanzooError, RunError
from ganzoo.evaluation.examples import collate
from ganzoo.images import BadImage, decode, square
from ganzoo.interfaces import Dataset, Generator
from ganzoo.models import samples
from ganzoo.models.model import Model
from ganzoo.models.network import RANDOM, reads
from ganzoo.models.randomness import rng
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe.recipe import load_recipe
from ganzoo.scan import scan
from ganzoo.text import gist

#: pictures from noise and photos in a grid, and the side of photos for models of any size
FROM_NOISE, PHOTOS, SIDE = 16, 8, 256


@dataclass(frozen=True)
class Lineup:
    """Grids by the name of their model, and of the photos if they are drawn from some.

    ``notes`` say what is not the same, or could not be drawn.
    """

    grids: Mapping[str, Image]
    notes: Sequence[str]
    photos: Image | None = None


def from_noise(models: Mapping[str, Model], seed: int) -> Lineup:
    """Draw a grid of each model from the latents and labels of ``seed``."""
    generators = {name: model.generator for name, model in models.items()}
    notes = []
    shapes = {tuple(samples.latents(one, seed, 1).shape) for one in generators.values()}
    if len(shapes) > 1:
        notes.append("the models take latents of different shapes: the seed is the same")
    if len({str(one.label or {}) for one in generators.values()}) > 1:
        notes.append("the models have different labels: each is asked for some of its own")
    grids = {}
    for name, generator in generators.items():
        try:
            grids[name] = samples.grid(samples.sample(generator, FROM_NOISE, seed), 4)
        except (GanzooError, RuntimeError, ValueError) as error:
            notes.append(f"{name} cannot draw: {gist(error)}")
    return Lineup(grids, notes)


def from_images(models: Mapping[str, Model], examples: Mapping[str, Tensor], seed: int) -> Lineup:
    """Draw a grid of each model from ``examples``, images (n, 3, S, S) in [-1, 1] by their word.

    Latents and labels, if a model reads them too, are those of ``seed``.
    """
    grids: dict[str, Image] = {}
    notes: list[str] = []
    photos = None
    n = len(next(iter(examples.values())))
    columns = min(n, 4)
    for name, generator in ((name, model.generator) for name, model in models.items()):
        known = reads(generator)
        if missing := [w for w in known.required if w not in (*examples, *RANDOM)]:
            notes.append(f"{name} needs '{missing[0]}', which these images do not have")
            continue
        words = [word for word in known.words if word in examples and word not in RANDOM]
        inputs = {word: examples[word] for word in words}
        if "latent" in known.words:
            inputs["latent"] = samples.latents(generator, seed, n)
        if (label := samples.labels(generator, seed, n, {})) is not None:
            inputs["label"] = label
        try:
            drawn = samples.draw(generator, inputs)
        except (GanzooError, RuntimeError, ValueError) as error:
            notes.append(f"{name} cannot draw: {gist(error)}")
            continue
        photos = photos or samples.grid(samples.to_uint8(examples[words[0]]), columns)
        grids[name] = samples.grid(drawn, columns)
    return Lineup(grids, notes, photos)


def read_photos(paths: Sequence[Path], models: Mapping[str, Model]) -> dict[str, Tensor]:
    """Read the first photos of files and folders, cut to squares, for every word of the models.

    Raises DataError if one cannot be read, RunError if a model needs more than a photo.
    """
    photos = [_opened(file) for path in paths for file in _files(path)[:PHOTOS]][:PHOTOS]
    drawers = [model.generator for model in models.values()]
    sides = [drawer.size // drawer.output_scale for drawer in drawers if drawer.size]
    side = min(sides or [SIDE, *(min(photo.size) for photo in photos)])
    try:
        pixels = [torch.from_numpy(np.array(square(photo, side))) for photo in photos]
    except BadImage as error:
        raise DataError(f"--photo: {gist(error)}.") from error
    examples = samples.from_uint8(torch.stack(pixels))
    return {_word(model.generator, name): examples for name, model in models.items()}


def _opened(file: Path) -> Image:
    try:
        return decode(file.read_bytes()).image
    except (OSError, BadImage) as error:
        raise DataError(f"{file} cannot be used: {gist(error)}.") from error


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [path / name for name in scan(path).names]
    if not path.is_file():
        raise DataError(f"--photo {path} does not exist.")
    return [path]


def _word(generator: Generator, name: str) -> str:
    words = [word for word in reads(generator).required if word not in RANDOM]
    if len(words) != 1:
        raise RunError(
            f"{name} needs {' and '.join(words)}, and --photo gives a photo alone. Leave it out: "
            "the images of a run's dataset have more."
        )
    return words[0]


def dataset_examples(
    recipe: Path, models: Mapping[str, Model], registry: Registry, seed: int
) -> dict[str, Tensor]:
    """Read some examples of the dataset of a run's ``recipe``, chosen by ``seed``.

    Raises GanzooError if the dataset cannot be opened.
    """
    spec = load_recipe(recipe, (), registry).dataset
    data: Dataset = construct(registry, "dataset", spec.use, spec.arguments)
    data.demand(word for model in models.values() for word in reads(model.generator).words)
    data.prepare()
    order = torch.randperm(len(data), generator=rng(seed, "lineup"))
    return collate(data, order[:PHOTOS].tolist())
