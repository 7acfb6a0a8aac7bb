"""Kernel inception distance: Binkowski et al. 2018 (ICLR), section 4.

https://arxiv.org/abs/1801.01401.  The estimate: Gretton et al. 2012 (JMLR), lemma 6.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo_metrics._rows import AllPairs, Rows, refuse_fewer

_BLOCK = 1024  # a block of kernel values takes 8 MiB


class KernelDistance(AllPairs):
    """Squared maximum mean discrepancy of two sets of features (Binkowski 2018).

    With the kernel (x.y / D + 1)^3, unbiased: 0 on average for equal distributions, so it may fall
    below 0, and it does not depend on the number of images.  It averages over all pairs, which the
    usual mean over 100 subsets of 1000 images estimates.  It is not scaled; papers often print it
    times 1000, or times 100.
    """

    higher_is_better: ClassVar = {"kid": False}
    standard = "inception"

    def compute(self, without: int | None = None) -> dict[str, float]:
        """``kid``; raises DataError for fewer than two reals or fakes."""
        groups, sizes = self.others(without).double(), self.members().sum(0)
        reals, fakes = len(self._reals), int(groups @ sizes)
        refuse_fewer("kid", (2, 2), (reals, fakes), "as it is of pairs")
        of_reals, of_fakes, between = self.tables()
        inside = of_reals.sum() / (reals * (reals - 1)) + groups @ of_fakes @ groups / (
            fakes * (fakes - 1)
        )
        return {"kid": (inside - 2 * (between @ groups).sum() / (reals * fakes)).item()}

    def tabulate(self) -> tuple[Tensor, ...]:
        """Sum kernels of reals (1, 1), of fakes (GROUPS, GROUPS) and between (1, GROUPS)."""
        one, groups = torch.ones(len(self._reals), 1, dtype=torch.float64), self.members()
        return (
            kernel_sums(self._reals, self._reals, one, one),
            kernel_sums(self._fakes, self._fakes, groups, groups),
            kernel_sums(self._reals, self._fakes, one, groups),
        )


def kernel_sums(a: Rows, b: Rows, members_a: Tensor, members_b: Tensor) -> Tensor:
    """Sum the kernel over the pairs of each group of ``a`` (N, G) with each of ``b`` (M, H).

    Float64 (G, H) of products in float32.  If ``b`` is ``a``, nothing is paired with itself, and
    each block is used once for both of its orders.
    """
    total = members_a.new_zeros(members_a.shape[1], members_b.shape[1])
    for i, rows in a.blocks(_BLOCK):
        for j, columns in b.blocks(_BLOCK):
            if b is a and j < i:
                continue
            kernel = (rows @ columns.T).double().div_(a.dim).add_(1).pow_(3)
            if b is a and j == i:
                kernel.fill_diagonal_(0)
            sums = members_a[i : i + _BLOCK].T @ kernel @ members_b[j : j + _BLOCK]
            total += sums + sums.T if b is a and j > i else sums
    return total
