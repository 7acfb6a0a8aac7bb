"""Measure a run while it trains, repeatedly under one benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ganzoo.evaluation.image_sources import Generated
from ganzoo.evaluation.measure import measure
from ganzoo.evaluation.protocol import Protocol
from ganzoo.interfaces import Generator
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe_types import Evaluate
from ganzoo.training.manifest import Evaluation
from ganzoo.training.scores import SCORE, best_step, scored, under


class Scoring:
    """The open benchmark of a recipe, and each step's scores.

    Raises RunError, DataError or RecipeError if it cannot be opened or does not suit the
    ``generator``.
    """

    def __init__(
        self, spec: Evaluate, registry: Registry, device: torch.device, generator: Generator
    ):
        benchmark = load_benchmark(spec.benchmark, spec.set, registry)
        self.protocol = Protocol(benchmark, registry, device, with_optional=False)
        self._scores: dict[int, dict[str, float]] = {}
        Generated(generator, self.protocol).draw(0, 1)

    @property
    def primary(self) -> str:
        return self.protocol.primary

    @property
    def best(self) -> int | None:
        """The best step so far; the first of equals."""
        return best_step(self._scores, self.primary, self.protocol.higher_is_better)

    def at(self, step: int) -> Mapping[str, float]:
        """Return a step's scores; empty if it was not measured."""
        return self._scores.get(step, {})

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take over earlier scores under the same protocol."""
        self._scores = scored(under(rows, self.protocol.id))

    def measure(self, generator: Generator, step: int, folder: Path) -> dict[str, float]:
        """Measure a step; ``folder`` keeps partial results and is removed in the end."""
        result = measure(self.protocol, Generated(generator, self.protocol), folder, quiet=True)
        scores = {name: float(f"{one.value:.6g}") for name, one in result.scores.items()}
        self._scores[step] = scores
        return scores

    def row(self, step: int) -> dict[str, Any]:
        """Return a measured step's row for metrics.jsonl."""
        values = {SCORE + name: value for name, value in self._scores[step].items()}
        return {"protocol": self.protocol.id, **values}

    def evaluation(self) -> Evaluation:
        """Return the manifest's record: each score's protocol, and which way it ranks."""
        names = [(s, key, name) for s in self.protocol.scorers for key, name in s.names.items()]
        benchmark = self.protocol.benchmark
        return Evaluation(
            benchmark=f"{benchmark.name}@{benchmark.version}",
            protocol=self.protocol.id,
            primary=self.primary,
            higher_is_better={name: s.type.higher_is_better[key] for s, key, name in names},
            ids={name: scorer.ids[name] for scorer, _, name in names},
        )
