"""Compute squared distances between features in blocks, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganzoo_metrics._rows import Rows

_BLOCK = 512  # 16 MiB of float64 features at 4096
_RESOLUTION = 1e-13  # of float32 features, squared


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|x - y|^2 of rows (N, D) with rows (M, D), in float64 (N, M).

    Differences below the resolution of float32 features are 0, so that equal rows have distance 0
    in spite of rounding.
    """
    a, b = a.double(), b.double()
    lengths = torch.einsum("nd,nd->n", a, a)[:, None] + torch.einsum("nd,nd->n", b, b)
    squares = torch.addmm(lengths, a, b.T, alpha=-2)
    return squares.masked_fill_(squares <= lengths.mul_(_RESOLUTION), 0)


def distance_blocks(a: Rows, b: Rows) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield blocks of squared distances, with their rows of ``a`` and of ``b``.

    If ``b`` is ``a``, only blocks on and right of the diagonal, with every row infinitely far from
    itself.
    """
    for i, rows in a.blocks(_BLOCK):
        for j, columns in b.blocks(_BLOCK):
            if b is a and j < i:
                continue
            squares = squared_distances(rows, columns)
            if b is a and j == i:
                squares.fill_diagonal_(torch.inf)
            yield slice(i, i + len(rows)), slice(j, j + len(columns)), squares


def neighbours(rows: Rows, k: int, group: Tensor, groups: int) -> Tensor:
    """Return squared distances from each row to its ``k`` nearest in every group, (N, groups, k).

    By index: a row is not its own neighbour, but equal rows are.  Infinite if a group has fewer.
    ``group`` is int64 (N,).
    """
    nearest = torch.full((len(rows), groups, k), torch.inf, dtype=torch.float64)
    for at, to, squares in distance_blocks(rows, rows):
        _take_nearer(nearest[at], squares, group[to])
        if at != to:
            _take_nearer(nearest[to], squares.T, group[at])
    return nearest


def radii(distances: Tensor) -> Tensor:
    """Return squared distances to the k-th nearest of all groups in ``found`` (N, groups, k)."""
    return distances.flatten(1).kthvalue(distances.shape[2]).values


def reach(rows: Rows, k: int) -> Tensor:
    """Return squared distances from each row to its ``k``-th nearest, float64 (N,)."""
    return radii(neighbours(rows, k, torch.zeros(len(rows), dtype=torch.int64), 1))


def _take_nearer(nearest: Tensor, squares: Tensor, group: Tensor) -> None:
    for index in group.unique().tolist():
        both = torch.cat([nearest[:, index], squares[:, group == index]], 1)
        nearest[:, index] = both.topk(nearest.shape[2], largest=False).values
