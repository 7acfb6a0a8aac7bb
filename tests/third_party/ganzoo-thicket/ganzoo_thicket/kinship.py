"""The distance of two mean features, which is all that Salimans et al. 2016 match."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator


class Kinship(Evaluator):
    """How far the fakes' mean features are from the reals' (Salimans 2016); 0 is next of kin."""

    higher_is_better: ClassVar = {"kinship": False}

    def __init__(self) -> None:
        self._sums = {"real": torch.zeros(()), "fake": torch.zeros(())}
        self._counts = {"real": 0, "fake": 0}

    def real(self, features: dict[str, Tensor]) -> None:
        """Add the features of some reals."""
        self._add("real", features)

    def fake(self, features: dict[str, Tensor]) -> None:
        """Add the features of some fakes."""
        self._add("fake", features)

    def compute(self) -> dict[str, float]:
        """The score; raises DataError without a real and a fake image."""
        if not all(self._counts.values()):
            raise DataError("kinship is of a real and a fake image at least: give more of them.")
        real, fake = (self._sums[stream] / n for stream, n in self._counts.items())
        return {"kinship": (real - fake).norm().item()}

    def _add(self, stream: str, features: dict[str, Tensor]) -> None:
        rows = torch.cat([layer.flatten(1).double() for layer in features.values()], 1)
        self._sums[stream] = self._sums[stream] + rows.sum(0)
        self._counts[stream] += len(rows)
