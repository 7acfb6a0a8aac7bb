"""Density and coverage: Naeem et al. 2020 (ICML), section 3.

https://arxiv.org/abs/2002.09797
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

from ganzoo_metrics._neighbours import distance_blocks, reach
from ganzoo_metrics._rows import AllPairs, refuse_fewer


class DensityCoverage(AllPairs):
    """How deep among the reals the fakes lie, and how many reals have a fake (Naeem 2020).

    Around every real is a ball that reaches to its k-th neighbour among the reals, edge excluded.
    Density is the number of balls that a fake is in, over k, and may exceed 1 if fakes crowd where
    reals do; coverage, in 0 to 1, is the share of balls with a fake in them.  Unlike precision and
    recall, an outlier among the fakes changes neither by much.  Density does not notice that all
    fakes are alike, and coverage may give copies of one real image more than various poor ones.  If
    reals are far apart, many of their balls may hold images that look like nothing real.

    Args:
        k: Which neighbour, not counting the image itself, a ball reaches to.
    """

    higher_is_better: ClassVar = {"density": True, "coverage": True}
    standard = "vgg16"
    # copies of one real image cover its neighbours, and many poor images may cover none
    blind: ClassVar = {"density": ("repeated", "noise"), "coverage": ("repeated",)}

    def __init__(self, k: Annotated[int, Ge(1)] = 5):
        super().__init__()
        self.k = k

    def compute(self, without: int | None = None) -> dict[str, float]:
        """``density`` and ``coverage``; raises DataError with k reals or fewer, or no fake."""
        groups = self.others(without)
        reals, fakes = len(self._reals), int(self.members()[:, groups].sum())
        need = (self.k + 1, 2)
        refuse_fewer(self._name, need, (reals, fakes), f"the reals with {self.k} neighbours (k)")
        (inside,) = self.tables()
        inside = inside[:, groups].sum(1)
        return {
            "density": (inside.sum() / (self.k * fakes)).item(),
            "coverage": (inside > 0).double().mean().item(),
        }

    def tabulate(self) -> tuple[Tensor, ...]:
        """Count the fakes of each group in every real's ball, float64 (reals, GROUPS)."""
        radius = reach(self._reals, self.k)
        members = self.members()
        inside = members.new_zeros(len(self._reals), members.shape[1])
        for at, to, squares in distance_blocks(self._reals, self._fakes):
            inside[at] += (squares < radius[at, None]).double() @ members[to]
        return (inside,)
