"""An open benchmark: its images, its networks, and the id that defines its values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganzoo import __version__
from ganzoo.errors import DataError, RecipeError
from ganzoo.evaluation.examples import collate, fields
from ganzoo.evaluation.jackknife import Jackknife
from ganzoo.files import without_downloads
from ganzoo.formats.json import digest
from ganzoo.interfaces import Dataset, Evaluator, Extractor
from ganzoo.models import samples
from ganzoo.models.randomness import derive, rng
from ganzoo.models.weights import weights_hash
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe.benchmark import (
    STREAMS,
    Benchmark,
    Measure,
    has_sources,
    is_features,
    words_of,
)
from ganzoo.recipe.component import Component
from ganzoo.recipe.vocabulary import stem

#: raised when the same benchmark and model would give other values: how images are drawn, split,
#: rounded to 8 bits and grouped
VERSION = 1


@dataclass(frozen=True)
class Scorer:
    """An evaluator of the benchmark: how to build it, what it reads, its scores' names."""

    use: str
    type: type[Evaluator]
    arguments: Mapping[str, Any]
    extractor: str | None
    #: stream -> the words that it reads
    reads: Mapping[str, tuple[str, ...]]
    #: the evaluator's name of a score -> its published name
    names: Mapping[str, str]
    #: published name of a score -> its protocol id
    ids: Mapping[str, str]

    def start(self) -> Jackknife:
        return Jackknife(lambda: self.type(**self.arguments))


class Protocol:
    """A benchmark with its dataset prepared and its extractors loaded on ``device``.

    Optional extractors are used if their weights are here; with ``download``, all are.

    Raises DataError if there are too few images, they do not match the benchmark's hash, or an
    extractor's weights are missing; RecipeError if two scores share a name.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        registry: Registry,
        device: torch.device,
        with_optional: bool = True,
        download: bool = False,
    ):
        self.benchmark, self.device = benchmark, device
        self.extractors: dict[str, Extractor] = {}
        #: missing optional extractors, and why
        self.left_out: dict[str, str] = {}
        #: what the features of each extractor depend on
        self._extractor_facts: dict[str, dict[str, Any]] = {}
        self._open_extractors(registry, with_optional, download)
        spec = benchmark.dataset
        self.dataset: Dataset = construct(registry, "dataset", spec.use, spec.arguments)
        self.dataset.prepare()
        self.dataset.set_epoch(benchmark.seed, 0)
        self.fields = fields(spec, registry, self.dataset)
        fingerprint = self.dataset.fingerprint()
        self._check_dataset(fingerprint)
        count = benchmark.reference + benchmark.fakes
        #: whether to draw images at random: the first by name may all be of one class
        self.shuffle = benchmark.shuffle or (
            len(self.dataset) > count and not self.dataset.shuffled
        )
        self.reference, self.held_out = self._split()
        self._common = self._facts_of_images(registry, fingerprint)
        self.scorers = self._scorers(registry)
        for scorer in self.scorers:
            self.dataset.demand(stem(word)[0] for words in scorer.reads.values() for word in words)
        #: the full protocol, for entries
        self.record = self._common | {
            "extractors": self._extractor_facts,
            "evaluators": [
                {
                    "use": scorer.use,
                    "arguments": dict(scorer.arguments),
                    "extractor": scorer.extractor,
                    "version": scorer.type.version,
                }
                for scorer in self.scorers
            ],
        }

    @property
    def selection(self) -> str:
        """The dataset's number of examples, if the real images are only some of them."""
        count = self.benchmark.reference + self.benchmark.fakes
        if count == len(self.dataset) or not self.shuffle:
            return ""
        return f"{count:,} of the dataset's {len(self.dataset):,} images, drawn by its seed"

    @property
    def size(self) -> int | None:
        """Height and width of all images."""
        return self.dataset.size

    @property
    def id(self) -> str:
        """The id that entries of one table share; optional extractors do not change it."""
        common = {
            "extractors": {
                name: facts
                for name, facts in self._extractor_facts.items()
                if not self._is_optional(name)
            },
            "evaluators": [
                evaluator
                for evaluator in self.record["evaluators"]
                if not self._is_optional(evaluator["extractor"])
            ],
        }
        return digest(self.record | common)[:16]

    @property
    def primary(self) -> str:
        """The published name of the score that ranks."""
        return self._ranking.names[self.benchmark.primary]

    @property
    def higher_is_better(self) -> bool:
        """The direction of the score that ranks."""
        return self._ranking.type.higher_is_better[self.benchmark.primary]

    @property
    def _ranking(self) -> Scorer:
        """Return the evaluator whose score ranks: the first that is not optional."""
        name = self.benchmark.primary
        return next(
            s for s in self.scorers if name in s.names and not self._is_optional(s.extractor)
        )

    def _is_optional(self, extractor: str | None) -> bool:
        return extractor is not None and self.benchmark.extractors[extractor].optional

    @property
    def has_pairs(self) -> bool:
        """Whether fakes are compared with their sources."""
        return any("pair" in scorer.reads for scorer in self.scorers)

    @property
    def seed(self) -> int:
        """Seed of the fakes' latents: not one that a user may have picked samples with."""
        return derive(self.benchmark.seed, "evaluation")

    def examples(self, indices: Tensor) -> dict[str, Tensor]:
        """Return examples of the dataset, with every image rounded to 8 bits."""
        examples = collate(self.dataset, indices.tolist())
        return {
            word: samples.from_uint8(samples.to_uint8(value))
            if self.fields.get(word) == "image"
            else value
            for word, value in examples.items()
        }

    @torch.no_grad()
    def features(self, extractor: str, images: Tensor, batch: int) -> dict[str, Tensor]:
        """Extract features of (N, 3, H, W) in [-1, 1] by layer, on the CPU."""
        network = self.extractors[extractor]
        parts = [network(part.to(self.device)) for part in images.split(batch)]
        return {layer: torch.cat([part[layer].cpu() for part in parts]) for layer in parts[0]}

    def features_key(self, extractor: str) -> str:
        """Hash everything that decides the reference images' features, to the bit."""
        images = {k: self._common[k] for k in ("ganzoo_protocol", "seed", "dataset")}
        libraries = [__version__, torch.__version__, self.device.type]
        return digest(
            [images, self.reference.tolist(), self._extractor_facts[extractor], libraries]
        )

    def _check_dataset(self, fingerprint: str) -> None:
        benchmark = self.benchmark
        if benchmark.dataset_sha256 not in (None, fingerprint):
            raise DataError(
                f"benchmark {benchmark.name}: the dataset's hash is {fingerprint[:16]}..., and the "
                f"benchmark is for {str(benchmark.dataset_sha256)[:16]}...: images were added, "
                "removed or changed. Put them back; or measure on what is there now, which is "
                f"another protocol: --set dataset_sha256={fingerprint}"
            )
        if "real" not in self.fields:
            raise DataError(
                f"benchmark {benchmark.name}: dataset '{benchmark.dataset.use}' gives no 'real' "
                "images to compare with. Choose another dataset."
            )
        total = benchmark.reference + benchmark.fakes
        if len(self.dataset) < total:
            raise DataError(
                f"benchmark {benchmark.name} wants {benchmark.reference} reference images and "
                f"{benchmark.fakes} that are held out, {total} together; the dataset has "
                f"{len(self.dataset)}. Add images, or measure with fewer, which is another "
                f"protocol: --set reference=... --set fakes=..."
            )

    def _split(self) -> tuple[Tensor, Tensor]:
        """Return the indices of the reference, and of one further example per fake."""
        benchmark, n = self.benchmark, len(self.dataset)
        order = torch.arange(n)
        if self.shuffle:
            order = torch.randperm(n, generator=rng(benchmark.seed, "split"))
        reference, fakes = benchmark.reference, benchmark.fakes
        if benchmark.held_out == "first":
            return order[fakes : fakes + reference], order[:fakes]
        return order[:reference], order[reference : reference + fakes]

    def _open_extractors(self, registry: Registry, with_optional: bool, download: bool) -> None:
        names = {measure.extractor for measure in self.benchmark.evaluators}
        for name, spec in self.benchmark.extractors.items():
            if name not in names or (spec.optional and not with_optional):
                continue
            quiet = spec.optional and not download
            try:
                with without_downloads() if quiet else nullcontext():
                    network = construct(registry, "extractor", spec.use, spec.arguments)
            except DataError as error:
                if not spec.optional:
                    raise
                self.left_out[name] = str(error)
                continue
            network.to(self.device, memory_format=torch.channels_last)  # twice as fast on a CPU
            self.extractors[name] = network.eval().requires_grad_(False)
            self._extractor_facts[name] = {
                **_pathless(spec, "extractor", registry),
                "version": network.version,
                "weights_sha256": weights_hash(network),
            }

    def _facts_of_images(self, registry: Registry, fingerprint: str) -> dict[str, Any]:
        """Return what all scores of the benchmark depend on."""
        benchmark = self.benchmark
        return {
            "ganzoo_protocol": VERSION,
            "benchmark": benchmark.name,
            "version": benchmark.version,
            "seed": benchmark.seed,
            "dataset": {
                **_pathless(benchmark.dataset, "dataset", registry),
                "sha256": fingerprint,
            },
            "split": {
                "reference": benchmark.reference,
                "held_out": benchmark.held_out,
                "shuffle": self.shuffle,
            },
            "fakes": benchmark.fakes,
            "images": "8 bits",
            "size": self.size,
        }

    def _scorers(self, registry: Registry) -> list[Scorer]:
        scorers: list[Scorer] = []
        for measure in self.benchmark.evaluators:
            if measure.extractor in self.extractors or measure.extractor is None:
                scorer = self._scorer(measure, registry)
                for name in scorer.names.values():
                    if any(name in other.names.values() for other in scorers):
                        raise RecipeError(
                            [
                                f"benchmark {self.benchmark.name}: two evaluators give the score "
                                f"'{name}'. Leave one out, or give it another extractor."
                            ]
                        )
                scorers.append(scorer)
        return scorers

    def _scorer(self, measure: Measure, registry: Registry) -> Scorer:
        kind: type[Evaluator] = registry.get("evaluator", measure.use).load()
        construct(registry, "evaluator", measure.use, measure.arguments)  # fails early
        facts = self._common | {
            "evaluator": measure.use,
            "arguments": dict(measure.arguments),
            "evaluator_version": kind.version,
        }
        suffix = prefix = ""
        if name := measure.extractor:
            tag = self.extractors[name].tag or self.benchmark.extractors[name].use.split("/")[-1]
            suffix = "" if tag == kind.standard else f"-{tag}"
            facts["extractor"] = self._extractor_facts[name]
            prefix = f"{tag}-{self._extractor_facts[name]['weights_sha256'][:8]}/"
        names = {score: score + suffix for score in kind.higher_is_better}
        benchmark = self.benchmark
        where = f"n{benchmark.fakes}-vs-{benchmark.reference}/{benchmark.name}@{benchmark.version}"
        return Scorer(
            use=measure.use,
            type=kind,
            arguments=measure.arguments,
            extractor=measure.extractor,
            reads=self._reads(measure, registry),
            names=names,
            ids={
                name: f"{name}/{prefix}{where}/{digest(facts | {'score': score})[:8]}"
                for score, name in names.items()
            },
        )

    def _reads(self, measure: Measure, registry: Registry) -> dict[str, tuple[str, ...]]:
        """Stream -> what an evaluator reads of it, without optional words that are missing."""
        methods = registry.get("evaluator", measure.use).signature.methods
        return {
            stream: tuple(
                word
                for word, _ in methods[stream]
                if word in words_of(stream, self.fields)
                and (measure.extractor or not is_features(word))
            )
            for stream in STREAMS
            if stream in methods
            and (
                stream != "pair"
                or len(methods.keys() & {*STREAMS}) == 1
                or has_sources(self.fields, [word for word, _ in methods[stream]])
            )
        }


def _pathless(spec: Component, kind: str, registry: Registry) -> dict[str, Any]:
    """Describe a component without paths: their content is known by its hash."""
    parameters = registry.get(kind, spec.use).signature.parameters
    paths = {p.name for p in parameters if "path" in p.type.describe()}
    return {
        "use": spec.use,
        "arguments": {k: v for k, v in spec.arguments.items() if k not in paths},
    }
