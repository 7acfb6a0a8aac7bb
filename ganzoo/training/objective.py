"""A player's objective: a weighted sum of terms, each fed the words it names."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from ganzoo.interfaces import Loss
from ganzoo.recipe.recipe_types import Schedule
from ganzoo.recipe.vocabulary import Views, full_word
from ganzoo.training.words import Words


@dataclass
class WeightedLoss:
    """A loss in one player's objective; ``weight`` is a schedule over the stage's steps.

    ``method`` is the loss's own: ``generator`` or ``discriminator``.
    """

    name: str
    loss: Loss
    method: str
    weight: Schedule
    every: int
    inputs: Mapping[str, str]
    extractor: str | None = None
    judge: str | None = None
    views: Views = field(default_factory=dict)

    def __post_init__(self) -> None:
        parameters = inspect.signature(getattr(self.loss, self.method)).parameters
        self.words = {name: self._word(name) for name in parameters}
        self.needs = {n for n, p in parameters.items() if p.default is inspect.Parameter.empty}
        self.leaves = [self._word(word) for word in self.loss.differentiates]

    def _word(self, parameter: str) -> str:
        return full_word(parameter, self.inputs, self.judge, self.extractor, self.views)

    def weight_at(self, step: int) -> float:
        """The weight at a stage's ``step``; 0 on the steps that ``every`` skips."""
        return self.weight.at(step) * self.every if step % self.every == 0 else 0.0

    def __call__(self, words: Words, available: Iterable[str]) -> Tensor:
        """Compute the loss's scalar; optional words are passed if the recipe has them."""
        arguments = {
            parameter: words[word]
            for parameter, word in self.words.items()
            if parameter in self.needs or word.partition("@")[0] in available
        }
        value: Tensor = getattr(self.loss, self.method)(**arguments)
        return value


@dataclass
class Evaluated:
    """One evaluation of an objective: the total to minimise, each term raw, and with its weight.

    ``measures`` holds what losses measured besides, as ``term.name``.
    """

    total: Tensor
    raw: dict[str, Tensor]
    summands: dict[str, Tensor]
    measures: dict[str, Tensor]

    def detached(self) -> Evaluated:
        """Return the total and the raw terms without their graph."""
        raw = {name: value.detach() for name, value in self.raw.items()}
        return Evaluated(self.total.detach(), raw, {}, {})

    def first_nonfinite(self) -> str | None:
        """Return the first term in the recipe's order that is NaN or infinite, if any."""
        if torch.isfinite(self.total):
            return None
        bad = [name for name, value in self.raw.items() if not torch.isfinite(value)]
        return bad[0] if bad else "the weighted sum"

    def gradient_shares(self, meters: Sequence[Tensor]) -> dict[str, float]:
        """Compute each term's share of the gradient norms at ``meters``; needs the graph alive."""
        if len(self.summands) == 1:
            return dict.fromkeys(self.summands, 1.0)
        norms = {}
        for name, value in self.summands.items():
            gradients: Sequence[Tensor | None] = []
            if value.requires_grad and meters:
                gradients = torch.autograd.grad(value, meters, retain_graph=True, allow_unused=True)
            parts = [float(one.float().norm()) for one in gradients if one is not None]
            norms[name] = math.hypot(*parts)
        total = sum(norms.values())
        return {name: norm / total if total > 0 else 0.0 for name, norm in norms.items()}


class Objective:
    """All terms of one player in one stage."""

    def __init__(self, terms: list[WeightedLoss], available: Iterable[str]):
        self.terms = terms
        self.available = frozenset(available)
        #: every word that a term reads or differentiates by
        self.words = [word for term in terms for word in (*term.words.values(), *term.leaves)]
        #: role -> the logits of what it takes for real and for fake, by the first term of both
        self.logits: dict[str, tuple[str, str]] = {}
        for term in terms:
            if {"real_logits", "fake_logits"} <= term.words.keys():
                judge = term.judge or "discriminator"
                self.logits.setdefault(
                    judge, (term.words["real_logits"], term.words["fake_logits"])
                )

    def leaves(self, step: int) -> set[str]:
        """The image words that an active penalty differentiates."""
        return {word for term in self.terms if term.weight_at(step) for word in term.leaves}

    def __call__(self, words: Words, step: int) -> Evaluated:
        """Evaluate the terms that are active at a stage's ``step``."""
        raw: dict[str, Any] = {}
        summands: dict[str, Any] = {}
        measures: dict[str, Tensor] = {}
        for term in self.terms:
            if weight := term.weight_at(step):
                raw[term.name] = term(words, self.available)
                value = raw[term.name]
                summands[term.name] = value if weight == 1 else weight * value
                for name, measure in term.loss.measures.items():
                    measures[f"{term.name}.{name}"] = measure
        total = reduce(add, summands.values()) if summands else torch.zeros(())
        return Evaluated(total, raw, summands, measures)


def unique_names(names: Iterable[str]) -> list[str]:
    """Number repeated names, since a log needs one per term: ``lsgan, lsgan#2``."""
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return unique
