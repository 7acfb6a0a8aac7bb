"""Build what a run is made of.  Nothing else constructs components."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn, optim

from ganzoo.evaluation.examples import collate, fields
from ganzoo.interfaces import Dataset, Extractor, Generator
from ganzoo.models import composed
from ganzoo.models import config as configs
from ganzoo.models.network import Network
from ganzoo.models.randomness import rng, seed_default
from ganzoo.models.samples import needed
from ganzoo.models.weights import weights_hash
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe.component import Component
from ganzoo.recipe.demand import words_read
from ganzoo.recipe.grammar import FROM_DATASET
from ganzoo.recipe.recipe_types import Application, Recipe, Schedule, Stage, View
from ganzoo.recipe.vocabulary import vocabulary
from ganzoo.training import checkpoint
from ganzoo.training.calibration import Calibration, calibration
from ganzoo.training.devices import accelerator, ignored_settings
from ganzoo.training.ema import EMA
from ganzoo.training.fit import check_count, check_split, fitting
from ganzoo.training.initial import initialise
from ganzoo.training.objective import Objective, WeightedLoss, unique_names
from ganzoo.training.optimizers import make_optimizer
from ganzoo.training.precision import Precision, decide
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.turns import Turn, plan
from ganzoo.training.words import Applied, Extract, Made, Transform, Transformed


@dataclass(frozen=True)
class Parts:
    """What a run is made of; only the weights of its networks and averages change."""

    accelerator: Accelerator
    dataset: Dataset
    networks: Mapping[str, Network]
    #: the full arguments of each network's constructor
    arguments: Mapping[str, Mapping[str, Any]]
    #: role -> the moving average of that network; empty if the recipe has none
    averages: Mapping[str, EMA]
    #: player -> the parameters that it learns
    learning: Mapping[str, list[nn.Parameter]]
    views: Mapping[str, Made]
    augment: Transform | None
    extractors: Mapping[str, Extract]
    extractor_hashes: Mapping[str, str]
    #: every word and its kind
    vocabulary: Mapping[str, str]
    #: stage -> player -> what it minimises
    objectives: Mapping[str, Mapping[str, Objective]]
    #: stage -> the updates of each step
    turns: Mapping[str, tuple[Turn, ...]]
    #: the image words that the generator reads; none if it draws only from noise
    image_inputs: tuple[str, ...]
    #: the examples of every grid, if the generator reads images or conditions
    examples: Mapping[str, Tensor]
    #: what estimates the running statistics of averages
    calibration: Calibration
    #: the number format of this run, and why
    precision: Precision
    #: the hash of the weights of ``init_from``; None without, or if a checkpoint replaces them
    init_sha256: str | None
    #: what to say before the first step
    warnings: tuple[str, ...]


def assemble(recipe: Recipe, registry: Registry, folder: RunFolder) -> Parts:
    """Build all parts of a run and check that they fit; read no more data than two examples.

    Raises RecipeError, DataError or RunError if something is missing or does not fit.
    """
    is_auto = recipe.precision == "auto"
    acc = accelerator("fp32" if is_auto else recipe.precision)
    check_split(recipe, acc.num_processes)
    extractors = _extractors(recipe, registry)
    hashes = {name: weights_hash(network) for name, network in extractors.items()}
    dataset: Dataset = _component(registry, "dataset", recipe.dataset)
    dataset.demand(words_read(recipe.resolved(), registry))
    with acc.main_process_first():
        dataset.prepare()
    check_count(recipe, dataset)

    bare, arguments = _networks(recipe, registry, dataset, extractors)
    init_sha256 = None
    if recipe.init_from and not checkpoint.steps(folder.checkpoints):
        init_sha256 = initialise(recipe.init_from, bare)
    for network in (*bare.values(), *extractors.values()):
        network.to(acc.device)
    ema = recipe.ema
    averages = {r: EMA(bare[r], ema.decay, ema.ramp) for r in recipe.averaged} if ema else {}
    views = _views(recipe, registry)
    augment = _component(registry, "transform", recipe.augment) if recipe.augment else None
    fit = fitting(dataset, bare, views, acc.device)
    fit.check_networks()

    precision, slow = decide(recipe, acc, bare, views, dataset, folder)
    if is_auto:
        acc = accelerator(precision.format)
    extracts = {
        name: acc.prepare_model(network, evaluation_mode=True)
        for name, network in extractors.items()
    }
    networks = _prepared(bare, acc, precision.channels_last)
    learning = {
        player: [parameter for role in roles for parameter in networks[role].learning]
        for player, roles in recipe.players.items()
    }
    reads = {role: network.reads for role, network in networks.items()}
    kinds = {role: network.kind for role, network in recipe.networks.items()}
    columns = fields(recipe.dataset, registry, dataset)
    words = vocabulary(columns, recipe.views, kinds, reads, extractors)
    inputs = tuple(word for word in reads["generator"] if words.get(word) == "image")
    has_sources = inputs or needed(joined(recipe, bare))
    examples = _examples(recipe, dataset) if has_sources else {}
    calibrating = calibration(recipe, dataset, averages, views)
    objectives, turns = {}, {}
    for stage in recipe.stages:
        trial = _objectives(recipe, registry, stage, words, acc.device)
        fit.check_terms(stage.name, trial, recipe, augment, extracts)
        optimizers(stage, learning)  # only to fail early
        objectives[stage.name] = _objectives(recipe, registry, stage, words, acc.device)
        turns[stage.name] = plan(recipe, stage, objectives[stage.name], reads)
    return Parts(
        acc, dataset, networks, arguments, averages, learning, views, augment, extracts, hashes,
        words, objectives, turns, inputs, examples, calibrating, precision, init_sha256,
        (*ignored_settings(), *slow),
    )  # fmt: skip


def joined(recipe: Recipe, networks: Mapping[str, nn.Module]) -> Generator:
    """Return the generator among ``networks``, with those that make its words."""
    generator = networks["generator"]
    assert isinstance(generator, Generator)
    views = {
        word: configs.View(view.apply, dict(view.to))
        for word, view in recipe.views.items()
        if isinstance(view, Application) and view.apply in recipe.averaged
    }
    return composed.composed(generator, networks, views)


def optimizers(
    stage: Stage, learning: Mapping[str, list[nn.Parameter]]
) -> dict[str, tuple[optim.Optimizer, Schedule]]:
    """Build a new optimiser and rate schedule for each player of a stage."""
    players = [player for players in stage.updates for player in players if stage.terms[player]]
    return {
        player: make_optimizer(use, learning[player], arguments)
        for player in dict.fromkeys(players)
        for use, arguments in [stage.optimizers[player]]
    }


def _component(registry: Registry, kind: str, spec: Component) -> Any:
    return construct(registry, kind, spec.use, spec.arguments)


def _networks(
    recipe: Recipe, registry: Registry, data: Dataset, extractors: Mapping[str, Extractor]
) -> tuple[dict[str, nn.Module], dict[str, dict[str, Any]]]:
    """Build the networks, initialised from the seed; also return their full arguments.

    Missing arguments of ``FROM_DATASET`` are the dataset's.
    """
    bare, arguments = {}, {}
    for role, spec in recipe.networks.items():
        parameters = {p.name for p in registry.get(spec.kind, spec.use).signature.parameters}
        arguments[role] = dict(spec.arguments)
        for name, attribute in FROM_DATASET.items():
            value = getattr(data, attribute)
            if name in parameters and name not in spec.arguments and value is not None:
                arguments[role][name] = value
        seed_default(recipe.seed, "init", role)
        eyes = {argument: extractors[name] for argument, name in spec.extractors.items()}
        bare[role] = construct(registry, spec.kind, spec.use, arguments[role] | eyes)
    return bare, arguments


def _views(recipe: Recipe, registry: Registry) -> dict[str, Made]:
    views: dict[str, Made] = {"fake": Applied("generator", {})}
    for name, view in recipe.views.items():
        if isinstance(view, View):
            views[name] = Transformed(_component(registry, "transform", view), view.of)
        else:
            views[name] = Applied(view.apply, view.to)
    return views


def _extractors(recipe: Recipe, registry: Registry) -> dict[str, Extractor]:
    """Build the frozen extractors that are used; their constructors open the weights."""
    terms = [term for stage in recipe.stages for player in stage.terms.values() for term in player]
    names = {term.extractor for term in terms}
    names |= {name for network in recipe.networks.values() for name in network.extractors.values()}
    extractors: dict[str, Extractor] = {
        name: _component(registry, "extractor", spec)
        for name, spec in recipe.extractors.items()
        if name in names
    }
    for network in extractors.values():
        network.eval().requires_grad_(False)
    return extractors


def _prepared(
    bare: Mapping[str, nn.Module], accelerator: Accelerator, channels_last: bool
) -> dict[str, Network]:
    """Wrap the networks for several processes and mixed precision."""
    networks = {}
    for role, network in bare.items():
        if channels_last:
            network.to(memory_format=torch.channels_last)
        with warnings.catch_warnings():  # torch before 2.15 has no newer name for broadcast_buffers
            warnings.simplefilter("ignore", FutureWarning)
            module = accelerator.prepare_model(network.train())
        networks[role] = Network(network, module, channels_last)
    return networks


def _objectives(
    recipe: Recipe, registry: Registry, stage: Stage, words: Iterable[str], device: torch.device
) -> dict[str, Objective]:
    """Build the objectives of a stage's players on ``device``, with frozen losses."""
    objectives = {}
    for player, specs in stage.terms.items():
        terms = []
        for name, spec in zip(unique_names(spec.use for spec in specs), specs, strict=True):
            loss = _component(registry, "loss", spec)
            loss.to(device).eval().requires_grad_(False)
            method, (weight, every) = recipe.method(player), (spec.weight, spec.every)
            how = (spec.inputs, spec.extractor, spec.judge, recipe.views)
            terms.append(WeightedLoss(name, loss, method, weight, every, *how))
        if terms:
            objectives[player] = Objective(terms, words)
    return objectives


def _examples(recipe: Recipe, data: Dataset) -> dict[str, Tensor]:
    """Return the examples of every grid; read before any ``set_epoch``, to stay the same."""
    order = torch.randperm(len(data), generator=rng(recipe.seed, "fixed"))
    return collate(data, order[: recipe.samples.count].tolist())
