"""Build objects from names.  Nothing else does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn, optim

from ganzoo.errors import DataError, RecipeError, RunError, reason
from ganzoo.evaluation.examples import collate
from ganzoo.interfaces import Dataset, Extractor, Generator
from ganzoo.models.config import WEIGHTS
from ganzoo.models.network import Network
from ganzoo.models.randomness import rng, seed_default
from ganzoo.models.weights import bytes_of
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe import recipe_types
from ganzoo.recipe.component import Component
from ganzoo.recipe.grammar import FROM_DATASET
from ganzoo.recipe.recipe_types import Recipe, Schedule, Stage
from ganzoo.training import checkpoint
from ganzoo.training.objective import Objective, Term, unique_names
from ganzoo.training.optimizers import make_optimizer
from ganzoo.training.words import Update

#: the players, in the order of their updates
UPDATE_ORDER = ("discriminator", "generator")

View = tuple[Callable[[Tensor], Tensor], str]


def dataset(recipe: Recipe, registry: Registry) -> Dataset:
    """Build the recipe's dataset, not prepared yet."""
    spec = recipe.dataset
    made: Dataset = construct(registry, "dataset", spec.use, spec.arguments)
    return made


def check_count(recipe: Recipe, data: Dataset) -> None:
    """Raise DataError if the prepared dataset cannot fill one batch."""
    if len(data) < recipe.batch:
        raise DataError(
            f"dataset '{recipe.dataset.use}' has {len(data)} images, fewer than one batch of "
            f"{recipe.batch}. Add images, or use a smaller batch: --set batch={len(data)}"
        )


def completed(registry: Registry, kind: str, spec: Component, data: Dataset) -> dict[str, Any]:
    """Fill a network's missing ``size`` and ``label`` from the dataset."""
    arguments = dict(spec.arguments)
    parameters = {p.name for p in registry.get(kind, spec.use).signature.parameters}
    for name, attribute in FROM_DATASET.items():
        found = getattr(data, attribute)
        if name in parameters and name not in arguments and found is not None:
            arguments[name] = found
    return arguments


def networks(
    recipe: Recipe, registry: Registry, data: Dataset
) -> tuple[dict[str, nn.Module], dict[str, dict[str, Any]]]:
    """Build the recipe's networks, initialised from its seed; also return their full arguments."""
    made, arguments = {}, {}
    for name, spec in recipe.networks.items():
        arguments[name] = completed(registry, name, spec, data)
        seed_default(recipe.seed, "init", name)
        made[name] = construct(registry, name, spec.use, arguments[name])
    return made, arguments


def views(recipe: Recipe, registry: Registry) -> dict[str, View]:
    """Build the recipe's views: name -> (function, the word it reads)."""
    return {
        name: (construct(registry, "transform", view.use, view.arguments), view.of)
        for name, view in recipe.views.items()
        if isinstance(view, recipe_types.View)
    }


def augment(recipe: Recipe, registry: Registry) -> Callable[[Tensor], Tensor] | None:
    """Build the recipe's differentiable augmentation of the discriminator's inputs."""
    spec = recipe.augment
    return construct(registry, "transform", spec.use, spec.arguments) if spec else None


def extractors(recipe: Recipe, registry: Registry) -> dict[str, Extractor]:
    """Build a stage's frozen extractors; their constructors open the weights."""
    terms = [term for stage in recipe.stages for p in UPDATE_ORDER for term in getattr(stage, p)]
    wanted = {term.extractor for term in terms}
    made: dict[str, Extractor] = {
        name: construct(registry, "extractor", spec.use, spec.arguments)
        for name, spec in recipe.extractors.items()
        if name in wanted
    }
    for network in made.values():
        network.eval().requires_grad_(False)
    return made


def objectives(
    registry: Registry, stage: Stage, words: Iterable[str], device: Any
) -> dict[str, Objective]:
    """Build the objectives of a stage's players on ``device``, with frozen losses."""
    made = {}
    for player in UPDATE_ORDER:
        specs = getattr(stage, player)
        names = unique_names(spec.use for spec in specs)
        terms = []
        for name, spec in zip(names, specs, strict=True):
            loss = construct(registry, "loss", spec.use, spec.arguments)
            loss.to(device).eval().requires_grad_(False)
            terms.append(
                Term(name, loss, player, spec.weight, spec.every, spec.inputs, spec.extractor)
            )
        if terms:
            made[player] = Objective(terms, words)
    return made


def optimizers(
    stage: Stage, networks: Mapping[str, Network]
) -> dict[str, tuple[optim.Optimizer, Schedule]]:
    """Build a new optimiser and rate schedule for each player of a stage."""
    return {
        player: make_optimizer(use, networks[player].learning, arguments)
        for player in UPDATE_ORDER
        if getattr(stage, player)
        for use, arguments in [stage.optimizers[player]]
    }


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


@contextmanager
def _evaluating(networks: Mapping[str, nn.Module]) -> Iterator[dict[str, Network]]:
    """Put the bare networks in eval mode, so that no running statistics move."""
    try:
        yield {name: Network(network.eval()) for name, network in networks.items()}
    finally:
        for network in networks.values():
            network.train()


@torch.no_grad()
def check_fit(
    data: Dataset, networks: Mapping[str, nn.Module], views: Mapping[str, View], device: Any
) -> dict[str, Tensor]:
    """Run every network once on two examples, in eval mode; return their words and ``fake``.

    Raises RecipeError if the networks do not fit the data or each other.
    """
    words = {name: value.to(device) for name, value in collate(data, [0, len(data) - 1]).items()}
    generator = networks["generator"]
    assert isinstance(generator, Generator)
    try:
        with _evaluating(networks) as bare:
            if "latent" in bare["generator"].reads:
                words["latent"] = generator.sample_latent(2, rng(0, "fit")).to(device)
            fake = words["fake"] = bare["generator"](Update(words, bare, views))
            if "discriminator" in bare:
                bare["discriminator"](Update(words, bare, views), fake)
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        raise RecipeError(
            [
                f"the networks do not fit the dataset, which gives {_shapes(words)}: "
                f"{reason(error)}. Leave `size` out of the networks to "
                "use the data's."
            ]
        ) from error
    if "real" in words and fake.shape != words["real"].shape:
        raise RecipeError(
            [
                f"the generator makes {_pixels(fake)} images, and the dataset's are "
                f"{_pixels(words['real'])}: leave the generator's `size` out, or make them equal."
            ]
        )
    return words


def check_terms(
    stage: str,
    objectives: Mapping[str, Objective],
    words: Mapping[str, Tensor],
    networks: Mapping[str, nn.Module],
    views: Mapping[str, View],
    augment: Callable[[Tensor], Tensor] | None,
    extractors: Mapping[str, Callable[[Tensor], dict[str, Tensor]]],
) -> None:
    """Evaluate every term of a stage once on the words from ``check_fit``, in eval mode.

    Discard ``objectives`` afterwards, as a loss may count its calls.  Raises RecipeError if a term
    cannot get its inputs, or whatever a loss or an extractor raises.
    """
    with _evaluating(networks) as bare:
        for player, objective in objectives.items():
            leaves = {word for term in objective.terms for word in term.leaves}
            leaves |= {"fake"} if player == "generator" else set()
            update = Update(words, bare, views, augment, leaves, extractors)
            for term in objective.terms:
                try:
                    term(update, objective.available)
                except (RuntimeError, ValueError, IndexError, KeyError) as error:
                    raise RecipeError(
                        [
                            f"stage '{stage}': the {player}'s term '{term.name}' cannot be "
                            f"computed from {_shapes(words)}: {reason(error)}."
                        ]
                    ) from error


def _pixels(images: Tensor) -> str:
    return " x ".join(map(str, images.shape[2:]))


def _shapes(words: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape[1:])}" for name, value in words.items())


def initialise(recipe: Recipe, made: Mapping[str, nn.Module]) -> str | None:
    """Load the weights of the recipe's ``init_from``, if any, and return their hash.

    From a run, load all networks of its newest checkpoint; from a checkpoint, its own; from a model
    folder, those that it has.  Raises RunError if there are none or they do not fit.
    """
    if recipe.init_from is None:
        return None
    weights = _weights(recipe.init_from)
    for name, state in weights.items():
        if name in made:
            try:
                made[name].load_state_dict(state)
            except RuntimeError as error:
                misfits = [line.strip() for line in str(error).splitlines()[1:]]
                raise RunError(
                    f"init_from: {recipe.init_from} does not fit this {name}; misfits: "
                    f"{len(misfits)}, the first: {misfits[0] if misfits else error} "
                    f"Give the {name} the arguments that it had there."
                ) from error
    return _sha256(weights)


def initial_hash(recipe: Recipe) -> str | None:
    """Return the hash of ``init_from``'s weights, as ``initialise`` does.  Raises RunError."""
    return _sha256(_weights(recipe.init_from)) if recipe.init_from else None


def _sha256(weights: Mapping[str, Mapping[str, Tensor]]) -> str:
    sha = hashlib.sha256()
    for network, state in sorted(weights.items()):
        for name, value in sorted(state.items()):
            sha.update(f"{network} {name} {value.dtype} {tuple(value.shape)}".encode())
            sha.update(bytes_of(value))
    return sha.hexdigest()


def _cached(repo: str) -> Path:
    """Return the folder of ``hf://user/repo@commit``, which was pulled before training."""
    from huggingface_hub import try_to_load_from_cache

    name, _, commit = repo.removeprefix("hf://").partition("@")
    file = try_to_load_from_cache(name, WEIGHTS["generator"], revision=commit)
    if not isinstance(file, str):
        raise RunError(
            f"init_from: {repo} is not in the Hub's cache. Get it: ganzoo pull {name}@{commit}"
        )
    return Path(file).parent


def _weights(init_from: str) -> dict[str, dict[str, Tensor]]:
    source = _cached(init_from) if init_from.startswith("hf://") else Path(init_from)
    if checkpoint.steps(source / "checkpoints"):
        return checkpoint.newest(source / "checkpoints")[0]
    if (source / checkpoint.STATE).is_file():
        return checkpoint.load(source)[0]
    folder = source / "model" if (source / "model").is_dir() else source
    files = {name: folder / file for name, file in WEIGHTS.items() if (folder / file).is_file()}
    if "generator" not in files:
        raise RunError(
            f"init_from: {source} holds no weights; give a checkpoint, run or model folder, or "
            "user/repo on the Hub."
        )
    try:
        return {name: load_file(file) for name, file in files.items()}
    except (OSError, SafetensorError) as error:
        raise RunError(f"init_from: {folder} is damaged: {error}") from error
