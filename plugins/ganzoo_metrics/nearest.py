"""Are the fakes copies of training images?  Each fake's distance to the nearest one.

Looking up nearest training images is as old as GANs (Goodfellow et al. 2014, figure 2).  Calling a
fake a copy by comparison with real images' distances: after Meehan, Chaudhuri and Dasgupta 2020
(AISTATS), https://arxiv.org/abs/2004.05675, who compare with those of held-out images.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo_metrics._neighbours import distance_blocks
from ganzoo_metrics._rows import AllPairs, Rows, refuse_fewer

#: a fake is a copy if only this share of the reals is as near to another real
_COPY = 0.01
#: as a share of the median: reals this near to each other are the same image twice
_TWINS = 1e-3


class Nearest(AllPairs):
    """Whether fakes are copies of reference images, here the training images (Meehan 2020).

    Distances are Euclidean, between features.  ``copied`` is the share of fakes that are as near to
    a reference image as only the nearest 1 % of reference images are to another one: about 0.01 for
    new real images, 1 for copies.  ``nearest`` is the median distance of a fake to its nearest
    reference image, over the median distance of a reference image to its nearest other: about 1 for
    new real images, 0 for copies.

    Images that look like nothing real copy nothing: ``copied`` is 0, ``nearest`` above 1.  So read
    both beside a score of how real the fakes look.
    """

    higher_is_better: ClassVar = {"nearest": True, "copied": False}
    blind: ClassVar = {
        "nearest": ("lightly-blurred", "grain", "blurred", "noise", "photo"),
        "copied": ("lightly-blurred", "grain", "blurred", "noise", "photo"),
    }

    def compute(self, without: int | None = None) -> dict[str, float]:
        """Both scores.

        Raises DataError for fewer than two reals, no fake, or reals that are mostly twins.
        """
        rows = self.others(without)[self.group()]
        counts = len(self._reals), int(rows.sum())
        refuse_fewer(self._name, (2, 1), counts, "as reals have a nearest other")
        real, fake = self.tables()
        if not real.quantile(0.5):
            raise DataError(
                f"{self._name}: most of the real images are there twice, so that the distances "
                f"among them are no measure. Leave out duplicates; `ganzoo data check` finds them."
            )
        return {
            "nearest": (fake[rows].quantile(0.5) / real.quantile(0.5)).item(),
            "copied": (fake[rows] <= real.quantile(_COPY)).double().mean().item(),
        }

    def unreliable(self) -> dict[str, str]:
        """Report ``copied`` if 1 % of the reals is less than one image, or that distance is 0."""
        real, _ = self.tables()
        if len(real) * _COPY < 1:
            return {"copied": f"1 % of {len(real)} reference images is less than one"}
        if real.quantile(_COPY) <= _TWINS * real.quantile(0.5):
            return {"copied": "more than 1 % of the reference images are there twice"}
        return {}

    def tabulate(self) -> tuple[Tensor, ...]:
        """The distance of each real to the nearest other, and of each fake to the nearest real."""
        return _nearest(self._reals, self._reals), _nearest(self._fakes, self._reals)


def _nearest(a: Rows, b: Rows) -> Tensor:
    """Return the distance, float64 (N,), of each row of ``a`` to the nearest other of ``b``."""
    least = torch.full((len(a),), torch.inf, dtype=torch.float64)
    for at, to, squares in distance_blocks(a, b):
        least[at] = torch.minimum(least[at], squares.amin(1))
        if b is a:
            least[to] = torch.minimum(least[to], squares.amin(0))
    return least.sqrt()
