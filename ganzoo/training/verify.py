"""``ganzoo verify``: does a recipe still reach its stated scores?

A recipe's section ``verify`` states a short form, seeds, and the range for each score of every
seed.  Rerun it after changing code, or when in doubt about a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import RecipeError, nearest, one_of
from ganzoo.evaluation.protocol import Protocol
from ganzoo.models.model import device
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Recipe, Verify
from ganzoo.training.loop import start

#: more steps than any run has, so that it is measured only at its end
_NEVER = 10**9


@dataclass(frozen=True)
class Verdict:
    """One seed's score, and the recipe's stated range."""

    seed: int
    score: str
    value: float
    low: float
    high: float
    run: Path

    @property
    def holds(self) -> bool:
        """Whether the value is in the range."""
        return self.low <= self.value <= self.high


def verify(
    name: str, out: Path, plugins: Plugins, pin: Callable[[Recipe, Registry], Recipe]
) -> Iterator[Verdict]:
    """Train the short form of recipe ``name`` with each stated seed into ``out``, and measure it.

    Raises RecipeError if the recipe states nothing, or a score that its benchmark does not give.
    """
    registry = plugins.registry
    recipe = load_recipe(name, (), registry)
    if recipe.verify is None:
        raise RecipeError(
            [
                f"recipe '{recipe.name}' states no scores, so nothing can be verified. A section "
                "`verify:` with benchmark, seeds and expected states some."
            ]
        )
    claim = recipe.verify
    # measured at the end, under the benchmark of the claim
    evaluate = {"every": _NEVER, "benchmark": claim.benchmark, "set": claim.set}
    changes = (*claim.short, f"evaluate={json.dumps(evaluate)}", "verify=null")
    shorts = [load_recipe(name, (*changes, f"seed={seed}"), registry) for seed in claim.seeds]
    shorts = [pin(short, registry) for short in shorts]
    _refuse_unknown(recipe, claim, registry)
    for short in shorts:
        run = start(short, out / f"seed-{short.seed}", plugins)
        for score, (low, high) in claim.expected.items():
            value = run.scores[score]
            yield Verdict(short.seed, score, value, low, high, run.path)


def _refuse_unknown(recipe: Recipe, claim: Verify, registry: Registry) -> None:
    """Raise RecipeError if a stated score is not in the benchmark, before any training."""
    benchmark = load_benchmark(claim.benchmark, claim.set, registry)
    protocol = Protocol(benchmark, registry, device(), with_optional=False)
    names = [name for scorer in protocol.scorers for name in scorer.names.values()]
    problems = [
        f"{recipe.origin('verify.expected')} verify.expected: benchmark {benchmark.name} gives no "
        f"'{score}'{nearest(score, names)} Available: {one_of(names)}."
        for score in claim.expected
        if score not in names
    ]
    if problems:
        raise RecipeError(problems)
