"""Features on disk, so that memory does not grow with the number of images."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_metrics._features import vectors


class Rows:
    """A growing float32 array (N, D) in an unnamed temporary file, deleted with the object."""

    def __init__(self) -> None:
        self.dim = 0
        self._count = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed when collected)
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Tensor) -> None:
        """Append (N, D) rows; raises DataError if they are not finite."""
        refuse_non_finite(rows)
        self._count, self.dim = self._count + len(rows), rows.shape[1]
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(rows.detach().float().numpy()).data)
        self._file.flush()

    def all(self) -> Tensor:
        """All rows so far, (N, D), mapped into memory; writing to it changes nothing here."""
        if not self._count:
            return torch.empty(0, self.dim)
        # copy on write, as torch cannot mark an array as read-only
        shape = (self._count, self.dim)
        return torch.from_numpy(np.memmap(self._file, np.float32, mode="c", shape=shape))

    def blocks(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Yield ``size`` rows at a time, each block with the index of its first row."""
        rows = self.all()
        for start in range(0, len(rows), size):
            yield start, rows[start : start + size]


class AllPairs(Evaluator):
    """An evaluator that compares every image with every other and keeps the features.

    Slow results are tabulated once; ``compute`` only adds up what it needs of them.
    """

    def __init__(self) -> None:
        self._reals, self._fakes = Rows(), Rows()
        self._groups: list[Tensor] = []
        self._tables: tuple[Tensor, ...] | None = None
        self._name = " and ".join(self.higher_is_better)

    def real(self, features: dict[str, Tensor]) -> None:
        """Keep the features of some reference images, one layer (N, D)."""
        self._reals.append(vectors(features, self._name))
        self._tables = None

    def fake(self, features: dict[str, Tensor], group: Tensor) -> None:
        """Keep the features of some of the model's images and their groups, (N,)."""
        self._fakes.append(vectors(features, self._name))
        self._groups.append(group)
        self._tables = None

    def tables(self) -> tuple[Tensor, ...]:
        """The tables of ``tabulate`` for the images seen, computed once."""
        if self._tables is None:
            self._tables = self.tabulate()
        return self._tables

    def tabulate(self) -> tuple[Tensor, ...]:
        """Compare every pair."""
        raise NotImplementedError

    def group(self) -> Tensor:
        """The group of every fake, int64 (N,)."""
        return torch.cat(self._groups) if self._groups else torch.empty(0, dtype=torch.int64)

    def members(self) -> Tensor:
        """Float64 (N, GROUPS): 1 if a fake is in the group."""
        return one_hot(self.group(), GROUPS).double()

    def others(self, without: int | None) -> Tensor:
        """Bool (GROUPS,): the groups that count."""
        return torch.arange(GROUPS) != (-1 if without is None else without)


def refuse_non_finite(features: Tensor) -> None:
    """Raise DataError if features (N, D) hold NaN or infinity."""
    bad = (~features.isfinite()).any(1).sum().item()
    if bad:
        raise DataError(
            f"The features of {bad} of {len(features)} images are not finite (NaN or infinity), "
            f"and no score can be had of them. Look whether the images hold NaN, as those of a "
            f"model whose training diverged do, and whether the extractor's weights are whole."
        )


def refuse_fewer(score: str, need: tuple[int, int], counts: tuple[int, int], why: str) -> None:
    """Raise DataError if fewer (reals, fakes) were seen than needed."""
    if counts[0] < need[0] or counts[1] < need[1]:
        raise DataError(
            f"{score} needs at least {need[0]} real images and {need[1]} fakes, {why}, and there "
            f"are {counts[0]} and {counts[1]}. Evaluate on more images."
        )
