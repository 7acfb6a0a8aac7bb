"""Squared distances between features, block by block, and the nearest neighbours by them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganzoo_metrics._rows import Rows

_BLOCK = 512  # 16 MiB of float64 features at 4096
_RESOLUTION = 1e-13  # of float32 features, squared


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|x - y|^2 of rows (N, D) with rows (M, D), in float64 (N, M).

    What is less than float32 features can tell apart is 0, so that equal rows are no distance
    apart in spite of rounding.
    """
    a, b = a.double(), b.double()
    lengths = torch.einsum("nd,nd->n", a, a)[:, None] + torch.einsum("nd,nd->n", b, b)
    squared = torch.addmm(lengths, a, b.T, alpha=-2)
    return squared.masked_fill_(squared <= lengths.mul_(_RESOLUTION), 0)


def distance_blocks(a: Rows, b: Rows) -> Iterator[tuple[slice, slice, Tensor]]:
    """Blocks of squared distances, and which rows of ``a`` and of ``b`` they are between.

    Where ``b`` is ``a`` itself, only the blocks on the diagonal and right of it, and every row is
    infinitely far from itself.
    """
    for i, rows in a.blocks(_BLOCK):
        for j, columns in b.blocks(_BLOCK):
            if b is a and j < i:
                continue
            squared = squared_distances(rows, columns)
            if b is a and j == i:
                squared.fill_diagonal_(torch.inf)
            yield slice(i, i + len(rows)), slice(j, j + len(columns)), squared


def neighbours(rows: Rows, k: int, group: Tensor, groups: int) -> Tensor:
    """Squared distances from each row to its ``k`` nearest in every group, (N, groups, k).

    By index: a row is not its own neighbour, and its equals are.  Infinite where a group has
    fewer.  ``group`` is int64 (N,).
    """
    found = torch.full((len(rows), groups, k), torch.inf, dtype=torch.float64)
    for at, to, squared in distance_blocks(rows, rows):
        _take_nearer(found[at], squared, group[to])
        if at != to:
            _take_nearer(found[to], squared.T, group[at])
    return found


def radii(found: Tensor) -> Tensor:
    """Squared distances to the k-th nearest of all groups in ``found`` (N, groups, k)."""
    return found.flatten(1).kthvalue(found.shape[2]).values


def reach(rows: Rows, k: int) -> Tensor:
    """Squared distances from each row to its ``k``-th nearest, float64 (N,)."""
    return radii(neighbours(rows, k, torch.zeros(len(rows), dtype=torch.int64), 1))


def _take_nearer(found: Tensor, squared: Tensor, group: Tensor) -> None:
    for index in group.unique().tolist():
        both = torch.cat([found[:, index], squared[:, group == index]], 1)
        found[:, index] = both.topk(found.shape[2], largest=False).values
