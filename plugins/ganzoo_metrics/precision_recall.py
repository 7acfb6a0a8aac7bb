"""Improved precision and recall: Kynkäänniemi et al. 2019 (NeurIPS), section 2.

https://arxiv.org/abs/1904.06991
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from ganzoo.interfaces import GROUPS
from ganzoo_metrics._neighbours import distance_blocks, neighbours, radii, reach
from ganzoo_metrics._rows import AllPairs, refuse_fewer


class PrecisionRecall(AllPairs):
    """How many fakes lie among the reals, and reals among the fakes (Kynkäänniemi 2019).

    Each in 0 to 1.  A set covers the balls around its images that reach, edge included, to the k-th
    neighbour of each.  Precision is the share of fakes that the reals cover, recall that of reals
    that the fakes cover.  Both depend on the number of images: published values are from 50,000 of
    each, at k = 3.  Precision does not notice that all fakes are alike; and if reals are far apart,
    the ball of an outlier may hold images that look like nothing real.

    Args:
        k: Which neighbour, not counting the image itself, a ball reaches to.
    """

    higher_is_better: ClassVar = {"precision": True, "recall": True}
    standard = "vgg16"
    blind: ClassVar = {"precision": ("repeated", "noise")}

    def __init__(self, k: Annotated[int, Ge(1)] = 3):
        super().__init__()
        self.k = k

    def compute(self, without: int | None = None) -> dict[str, float]:
        """``precision`` and ``recall``; raises DataError with k reals or fakes, or fewer."""
        rows = self.others(without)[self.group()]
        counts = (len(self._reals), int(rows.sum()))
        refuse_fewer(
            self._name, (self.k + 1, self.k + 1), counts, f"each with {self.k} neighbours (k)"
        )
        among_reals, among_fakes = self.tables()
        hits = among_fakes[:, GROUPS if without is None else without]
        return {
            "precision": among_reals[rows].double().mean().item(),
            "recall": hits.double().mean().item(),
        }

    def tabulate(self) -> tuple[Tensor, ...]:
        """Bool (fakes,): among the reals; bool (reals, GROUPS + 1): among the fakes.

        The latter without each group, and last with all of them.
        """
        real_radii = reach(self._reals, self.k)
        group = self.group()
        distances = neighbours(self._fakes, self.k, group, GROUPS)
        choices = [radii(distances[:, self.others(index)]) for index in range(GROUPS)]
        for index, radius in enumerate(choices):
            radius[group == index] = -1  # reaches nothing
        fake_radii = torch.stack([*choices, radii(distances)], 1)
        among_reals = torch.zeros(len(self._fakes), dtype=torch.bool)
        among_fakes = torch.zeros(len(self._reals), GROUPS + 1, dtype=torch.bool)
        for at, to, squares in distance_blocks(self._reals, self._fakes):
            among_reals[to] |= (squares <= real_radii[at, None]).any(0)
            for choice in range(GROUPS + 1):
                among_fakes[at, choice] |= (squares <= fake_radii[to, choice]).any(1)
        return among_reals, among_fakes
