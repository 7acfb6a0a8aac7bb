"""Frechet inception distance: Heusel et al. 2017 (NeurIPS), section 4 and appendix.

https://arxiv.org/abs/1706.08500.  The distance between Gaussians: Dowson and Landau 1982.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_metrics._features import vectors
from ganzoo_metrics._rows import refuse_fewer, refuse_non_finite

_BLOCK = 256  # rows: enough for a fast product, few enough to buffer for every group
_EPS = torch.finfo(torch.float64).eps
_ROUNDING = 1e-12  # share of a covariance's trace that its root may miss


class FrechetDistance(Evaluator):
    """Frechet distance between Gaussians fitted to the features of two sets (Heusel 2017).

    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and the covariances (over n - 1),
    in the features' units, squared; 0 for equal sets.  Biased upward by few images: published
    values are from 50,000 fakes, and under 10,000 of them it is well above what it goes to
    (Binkowski et al. 2018, section 4).  Compare at equal counts only, and look at ``kid`` too.
    """

    higher_is_better: ClassVar = {"fid": False}
    standard = "inception"

    def __init__(self) -> None:
        self._real = Moments()
        self._root: Tensor | None = None  # of the reals' covariance, shared by all groups
        self._fakes = [Moments() for _ in range(GROUPS)]

    def real(self, features: dict[str, Tensor]) -> None:
        """Add some reference images: one layer of features (N, D)."""
        rows = vectors(features, "fid")
        refuse_non_finite(rows)
        self._real.add(rows)
        self._root = None

    def fake(self, features: dict[str, Tensor], group: Tensor) -> None:
        """Add some of the model's images to the moments of their groups, (N,)."""
        rows = vectors(features, "fid")
        refuse_non_finite(rows)
        for index in group.unique().tolist():
            self._fakes[index].add(rows[group == index])

    def compute(self, without: int | None = None) -> dict[str, float]:
        """``fid``; raises DataError for fewer than two reals or fakes."""
        groups = [moments for index, moments in enumerate(self._fakes) if index != without]
        counts = (self._real.count, sum(moments.count for moments in groups))
        refuse_fewer("fid", (2, 2), counts, "as one has no covariance")
        mean, covariance = self._real.gaussian()
        if self._root is None:
            self._root = root_of(covariance)
        between = mean, covariance, *merged(groups).gaussian()
        return {"fid": frechet_distance(*between, self._root)}

    def unreliable(self) -> dict[str, str]:
        """Report a covariance without full rank, after too few images."""
        fakes = sum(moments.count for moments in self._fakes)
        dim = self._real.dim
        if min(self._real.count, fakes) > dim:
            return {}
        return {
            "fid": f"{self._real.count} real images and {fakes} fakes are too few for "
            f"{dim} features: their covariance wants at least {dim + 1} of each."
        }


class Moments:
    """The count, mean and scatter of rows seen one chunk after the other, in float64.

    The scatter is the sum of (x - mean)(x - mean)^T.  For any chunks, the rows are summed in the
    same blocks, each about its own mean and then merged (Chan, Golub and LeVeque 1979), so that
    nothing large cancels.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._scatter = torch.empty(0, dtype=torch.float64)
        self._rest = torch.empty(0, 0)

    @property
    def count(self) -> int:
        return self._count + len(self._rest)

    @property
    def dim(self) -> int:
        return self._rest.shape[1]

    def add(self, rows: Tensor) -> None:
        """Add rows (N, D)."""
        together = torch.cat([self._rest, rows]) if self.count else rows
        whole = len(together) // _BLOCK * _BLOCK
        for block in together[:whole].split(_BLOCK) if whole else ():
            self._sum(block)
        self._rest = together[whole:].clone()

    def gaussian(self) -> tuple[Tensor, Tensor]:
        """The mean (D,) and covariance (D, D) of all rows seen, of which there are two or more."""
        self.settle()
        return self._mean, self._scatter / (self._count - 1)

    def settle(self) -> None:
        """Sum the rows that wait for a whole block."""
        if len(self._rest):
            self._sum(self._rest)
            self._rest = self._rest[:0].clone()

    def merge(self, other: Moments) -> None:
        """Add everything that ``other`` has seen."""
        other.settle()
        if not other._count:
            return
        self._join(other._count, other._mean)
        self._scatter += other._scatter

    def _sum(self, rows: Tensor) -> None:
        rows = rows.double()
        mean = rows.mean(0)
        self._join(len(rows), mean)
        rows -= mean
        self._scatter.addmm_(rows.T, rows)

    def _join(self, count: int, mean: Tensor) -> None:
        """Move to the joint mean with ``count`` more rows; their own scatter is added later."""
        if not self._count:
            self._mean = torch.zeros_like(mean)
            self._scatter = mean.new_zeros(len(mean), len(mean))
        apart, total = mean - self._mean, self._count + count
        self._scatter.addr_(apart, apart, alpha=self._count * count / total)
        self._mean = self._mean + apart * (count / total)
        self._count = total


def merged(parts: list[Moments]) -> Moments:
    """The moments of all rows of ``parts``."""
    total = Moments()
    for part in parts:
        total.merge(part)
    return total


def frechet_distance(
    mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor, root1: Tensor | None = None
) -> float:
    """The squared Frechet distance of two Gaussians, of means (D,) and covariances (D, D).

    With C1 = R R^T the eigenvalues of C1 C2 are those of R^T C2 R, which is symmetric, and small if
    C1 has few columns in R; no root of a matrix is needed.  Its eigenvalues below 0 are rounding
    errors and count as 0.  ``root1`` is R if it is known: see ``root_of``.
    """
    mean1, cov1, mean2, cov2 = (value.double() for value in (mean1, cov1, mean2, cov2))
    root1 = root_of(cov1) if root1 is None else root1
    eigenvalues = torch.linalg.eigvalsh(root1.T @ cov2 @ root1)
    cross = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(0.0, distance.item())


def root_of(covariance: Tensor) -> Tensor:
    """Compute R (D, rank) with R R^T = C, of a positive semidefinite C (D, D).

    By Cholesky's decomposition, which goes as far as C has rank after fewer images than features;
    features without variance come last, so as not to end it.  If that leaves anything out (features
    that repeat others), by the eigenvectors, which takes ten times longer.
    """
    order = covariance.diagonal().argsort(descending=True)
    part = _trapezoid(covariance[order][:, order])
    loss = covariance.trace() - part.square().sum()
    if loss <= _ROUNDING * covariance.trace():
        root = torch.empty_like(part)
        root[order] = part
        return root
    values, vectors = torch.linalg.eigh(covariance)
    some = values > len(values) * _EPS * values[-1]
    return vectors[:, some] * values[some].sqrt()


def _trapezoid(covariance: Tensor) -> Tensor:
    """Compute Cholesky's lower triangle, (D, rank), up to the first row that adds nothing."""
    lower, info = torch.linalg.cholesky_ex(covariance)
    while info:  # the part before it may fail too, as its sums round otherwise
        lower, info = torch.linalg.cholesky_ex(covariance[: info - 1, : info - 1])
    nothing = len(covariance) * _EPS * covariance.diagonal().max()
    none = (lower.diagonal().square() <= nothing).nonzero()
    rank = int(none[0]) if len(none) else len(lower)
    lower = lower[:rank, :rank]
    below = torch.linalg.solve_triangular(lower, covariance[:rank, rank:], upper=False)
    return torch.cat([lower, below.T])
