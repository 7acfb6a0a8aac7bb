"""Do all images look alike?  The spread of the fakes' features against that of the reals'.

The mean distance over all pairs, like LPIPS diversity (Zhu et al. 2017, BicycleGAN,
https://arxiv.org/abs/1711.11586, section 5), on any features and without drawing pairs.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator
from ganzoo_metrics._features import vectors
from ganzoo_metrics._rows import refuse_fewer, refuse_non_finite

_RESOLUTION = 1e-13  # of float32 features, squared


class Spread:
    """The mean squared distance over all pairs of vectors, without keeping them."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = torch.zeros(())
        self._squares = 0.0

    def add(self, rows: Tensor) -> None:
        """Add (N, D); raises DataError if a value is not finite."""
        refuse_non_finite(rows)
        rows = rows.double()
        self.count += len(rows)
        self._sum = self._sum + rows.sum(0)
        self._squares += rows.square().sum().item()

    def mean_squared_distance(self) -> float:
        """Over all n (n - 1) / 2 pairs: twice the unbiased variance, summed over dimensions."""
        within = self._squares - self._sum.square().sum().item() / self.count
        # equal rows have distance 0, in spite of rounding
        return 2 * within / (self.count - 1) if within > _RESOLUTION * self._squares else 0.0


class Diversity(Evaluator):
    """How diverse the fakes are, relative to real images at 1 (after Zhu 2017, BicycleGAN).

    ``diversity`` is the root mean square distance over all pairs of fakes, over that over all pairs
    of reals: 1.0 is as diverse as the real images, 0 is one image over and over.  It does not
    depend on the number of images.  More is not always better: images with ever new faults are
    diverse too, and so may blurred ones be.
    """

    higher_is_better: ClassVar = {"diversity": True}
    blind: ClassVar = {"diversity": ("lightly-blurred", "grain", "blurred", "photo")}

    def __init__(self) -> None:
        self._real, self._fake = Spread(), Spread()

    def real(self, features: dict[str, Tensor]) -> None:
        """Add the only layer, (N, D)."""
        self._real.add(vectors(features, "diversity"))

    def fake(self, features: dict[str, Tensor]) -> None:
        self._fake.add(vectors(features, "diversity"))

    def compute(self) -> dict[str, float]:
        """The score; raises DataError for fewer than two images, or reals that are all alike."""
        counts = self._real.count, self._fake.count
        refuse_fewer("diversity", (2, 2), counts, "as it is of pairs")
        real = self._real.mean_squared_distance()
        if not real:
            raise DataError(
                "diversity: the real images are all alike, so that nothing can be more or less "
                "various. Give reference images that differ."
            )
        return {"diversity": math.sqrt(self._fake.mean_squared_distance() / real)}
