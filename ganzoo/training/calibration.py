"""Estimate the running statistics of averaged networks on training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ganzoo.evaluation.examples import collate
from ganzoo.interfaces import Dataset, Generator
from ganzoo.models.network import Network
from ganzoo.models.randomness import batches, derive, rng
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training.ema import EMA
from ganzoo.training.words import Applied, Made, Words

#: how many examples are enough; a variance of that many is off by about 6 %
_EXAMPLES = 512


@dataclass(frozen=True)
class Calibration:
    """The words that each role makes in training, and the batches that it makes them of.

    It is empty if only the generator is averaged: the shipped recipes of that kind were chosen with
    the statistics of the training network, and their runs go on to the same bit.
    """

    makes: Mapping[str, tuple[str, ...]]
    batches: tuple[Mapping[str, Tensor], ...]

    def __call__(
        self, averages: Mapping[str, EMA], views: Mapping[str, Made], device: torch.device
    ) -> None:
        """Estimate the statistics of the averages; the same averages get the same ones."""
        networks = {role: Network(average.network) for role, average in averages.items()}
        for role, made in self.makes.items():
            with averages[role].estimating():
                for batch in self.batches:
                    values = {name: value.to(device) for name, value in batch.items()}
                    words = Words(values, networks, views)
                    for word in made:
                        words[word]


def calibration(
    recipe: Recipe, data: Dataset, averages: Mapping[str, EMA], views: Mapping[str, Made]
) -> Calibration:
    """Read the batches, if there is a network to calibrate; before any ``set_epoch``."""
    makes = dict[str, tuple[str, ...]]()
    for word, view in views.items():
        if isinstance(view, Applied) and view.role in averages and averages[view.role].norms:
            makes[view.role] = (*makes.get(view.role, ()), word)
    if not makes.keys() - {"generator"}:
        return Calibration({}, ())
    generator = averages["generator"].network
    assert isinstance(generator, Generator)
    draws = "latent" in Network(generator).reads
    count = min(max(_EXAMPLES // recipe.batch, 1), len(data) // recipe.batch)
    order = batches(len(data), recipe.batch, derive(recipe.seed, "calibration"), 0)
    examples = []
    for number, (_, indices) in enumerate(islice(order, count)):
        words = collate(data, indices)
        if draws:
            draw = rng(recipe.seed, "calibration", number)
            words["latent"] = generator.sample_latent(recipe.batch, draw)
        examples.append(words)
    return Calibration(makes, tuple(examples))
