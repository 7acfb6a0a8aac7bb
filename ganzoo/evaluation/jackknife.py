"""How far to trust a score: compute it without each tenth of the fakes.

The jackknife over groups: Efron and Stein 1981, The jackknife estimate of variance, section 2.  The
interval is Student's with one degree of freedom less than there are groups.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator

#: what an evaluator reads by one word: a tensor, or tensors by layer or label
Value = Tensor | Mapping[str, Tensor]

#: the 97.5 % quantile of Student's t with GROUPS - 1 = 9 degrees of freedom
T_QUANTILE = 2.2622


@dataclass(frozen=True)
class Estimate:
    """A score and its 95 % interval."""

    value: float
    low: float
    high: float


class Jackknife:
    """An evaluator and, if it does not read ``group``, one copy per group that misses it."""

    def __init__(self, make: Callable[[], Evaluator]):
        self.whole = make()
        by_itself = "without" in inspect.signature(self.whole.compute).parameters
        self._parts = [] if by_itself else [make() for _ in range(GROUPS)]

    def feed(self, stream: str, words: Mapping[str, Value], group: Tensor | None) -> None:
        """Feed one chunk to a stream; ``group`` (N,) of the fakes, None for the reals."""
        getattr(self.whole, stream)(**words)
        for number, part in enumerate(self._parts):
            if group is None:
                getattr(part, stream)(**words)
            elif len(rows := (group != number).nonzero().flatten()):
                others = {
                    word: {layer: features[rows] for layer, features in value.items()}
                    if isinstance(value, Mapping)
                    else value[rows]
                    for word, value in words.items()
                }
                getattr(part, stream)(**others)

    def compute(self) -> dict[str, Estimate]:
        """Compute every score with its interval; raises DataError after too few images.

        A score that is left out without some tenth of the fakes has no interval, so it is left out.
        """
        compute: Callable[..., dict[str, float]] = self.whole.compute
        values = compute()
        if self._parts:
            parts = [part.compute() for part in self._parts]
        else:
            parts = [compute(without=group) for group in range(GROUPS)]
        estimates = {}
        for name, value in values.items():
            without = [part[name] for part in parts if name in part]
            if len(without) < GROUPS:  # the images that have this score are all in one tenth
                continue
            if not all(map(math.isfinite, (value, *without))):
                raise DataError(
                    f"the score '{name}' is {value:g}, or is not finite without a tenth of the "
                    "fakes: it says nothing of these images. Look at them; are there enough?"
                )
            estimates[name] = interval(value, without)
        return estimates


def interval(value: float, without: Sequence[float]) -> Estimate:
    """Compute the 95 % interval of a score from its values without one group each."""
    n = len(without)
    mean = math.fsum(without) / n
    error = math.sqrt((n - 1) / n * math.fsum((one - mean) ** 2 for one in without))
    half = T_QUANTILE * error
    return Estimate(value, value - half, value + half)
