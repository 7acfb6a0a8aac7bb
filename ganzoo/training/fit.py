"""Check, before the first step, that a run's parts fit its data and each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError, RecipeError, reason
from ganzoo.evaluation.examples import collate
from ganzoo.interfaces import Dataset, Discriminator, Generator
from ganzoo.models.network import Network
from ganzoo.models.randomness import rng
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training.objective import Objective
from ganzoo.training.words import Applied, Extract, Made, Transform, Words


def check_split(recipe: Recipe, processes: int) -> None:
    """Raise RecipeError if the global batch does not split evenly."""
    if recipe.batch % (processes * recipe.accumulate):
        raise RecipeError(
            [
                f"batch: {recipe.batch} does not split over {processes} processes x "
                f"{recipe.accumulate} accumulated parts. `batch` counts the images of one step "
                f"over all of them: use a multiple of {processes * recipe.accumulate}."
            ]
        )


def check_count(recipe: Recipe, data: Dataset) -> None:
    """Raise DataError if the prepared dataset cannot fill one batch."""
    if len(data) < recipe.batch:
        raise DataError(
            f"dataset '{recipe.dataset.use}' has {len(data)} images, fewer than one batch of "
            f"{recipe.batch}. Add images, or use a smaller batch: --set batch={len(data)}"
        )


@dataclass(frozen=True)
class Fitting:
    """Two examples, and the networks and views that must fit them."""

    examples: Mapping[str, Tensor]
    networks: Mapping[str, nn.Module]
    views: Mapping[str, Made]

    @torch.no_grad()
    def check_networks(self) -> None:
        """Run every network once, in eval mode.

        Raises RecipeError if the networks do not fit the data or each other.
        """
        words = Words(self.examples, {}, self.views)
        try:
            with _evaluating(self.networks) as networks:
                words = Words(self.examples, networks, self.views)
                for word in outputs(networks, self.views):
                    words[word]
                fake = words["fake"]
        except (RuntimeError, ValueError, IndexError, KeyError) as error:
            raise RecipeError(
                [
                    f"the networks do not fit the dataset, which gives {_shapes(words.values)}: "
                    f"{reason(error)}. Leave `size` out of the networks to "
                    "use the data's."
                ]
            ) from error
        real = self.examples.get("real")
        if real is not None and fake.shape != real.shape:
            raise RecipeError(
                [
                    f"the generator makes {_pixels(fake)} images, and the dataset's are "
                    f"{_pixels(real)}: leave the generator's `size` out, or make them equal."
                ]
            )

    def check_terms(
        self,
        stage: str,
        objectives: Mapping[str, Objective],
        recipe: Recipe,
        augment: Transform | None,
        extractors: Mapping[str, Extract],
    ) -> None:
        """Evaluate every term of a stage once, in eval mode.

        Discard ``objectives`` afterwards, as a loss may count its calls.  Raises RecipeError if a
        term cannot get its inputs, or any error of a loss or an extractor.
        """
        with _evaluating(self.networks) as networks:
            for player, objective in objectives.items():
                values = dict(self.examples)
                leaves = {word for term in objective.terms for word in term.leaves}
                if "generator" in recipe.players[player]:
                    leaves |= {"fake"}
                with torch.no_grad():
                    values["fake"] = Words(values, networks, self.views)["fake"]
                words = Words(values, networks, self.views, augment, leaves, extractors)
                for term in objective.terms:
                    try:
                        term(words, objective.available)
                    except (RuntimeError, ValueError, IndexError, KeyError) as error:
                        raise RecipeError(
                            [
                                f"stage '{stage}': the {player}'s term '{term.name}' cannot be "
                                f"computed from {_shapes(values)}: {reason(error)}."
                            ]
                        ) from error


def outputs(networks: Mapping[str, Network], views: Mapping[str, Made]) -> list[str]:
    """Return words with which every network is run: what it makes, or its logits of ``fake``."""
    words = [word for word, view in views.items() if isinstance(view, Applied)]
    roles = {view.role for view in views.values() if isinstance(view, Applied)}
    judges = [role for role, one in networks.items() if isinstance(one.bare, Discriminator)]
    return words + [f"fake_logits@{role}" for role in judges if role not in roles]


def fitting(
    data: Dataset,
    networks: Mapping[str, nn.Module],
    views: Mapping[str, Made],
    device: torch.device,
) -> Fitting:
    """Read two examples of ``data``, and draw latents for them."""
    words = {name: value.to(device) for name, value in collate(data, [0, len(data) - 1]).items()}
    generator = networks["generator"]
    if isinstance(generator, Generator) and "latent" in Network(generator).reads:
        words["latent"] = generator.sample_latent(2, rng(0, "fit")).to(device)
    return Fitting(words, networks, views)


@contextmanager
def _evaluating(networks: Mapping[str, nn.Module]) -> Iterator[dict[str, Network]]:
    """Put the bare networks in eval mode, so that no running statistics move."""
    try:
        yield {name: Network(network.eval()) for name, network in networks.items()}
    finally:
        for network in networks.values():
            network.train()


def _pixels(images: Tensor) -> str:
    return " x ".join(map(str, images.shape[2:]))


def _shapes(words: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape[1:])}" for name, value in words.items())
