"""The Vendi score: how many different images there are.

Friedman and Dieng 2022, The Vendi Score: A Diversity Evaluation Metric for Machine Learning,
https://arxiv.org/abs/2210.02410, section 3, which also gets the eigenvalues of X Xᵀ from Xᵀ X.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.linalg import eigvalsh, vector_norm

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_metrics._features import vectors
from ganzoo_metrics._rows import refuse_non_finite


class Vendi(Evaluator):
    """The effective number of different images among the fakes (Friedman and Dieng 2022).

    exp of the entropy of the eigenvalues of K / n, where K is the similarity of all pairs, here the
    cosine between features: 1 if all images are the same, n if no two have anything in common.  It
    needs no real images, and does not say whether the fakes look real.  It grows with the number of
    images, so compare only at equal numbers.  Blurred images may score above sharp ones; noise
    scores low, but on the features of an untrained network above real images.

    The published code uses features of torchvision's Inception; this one those of the extractor,
    which for ``inception`` is the network of FID.
    """

    higher_is_better: ClassVar = {"vendi": True}
    standard = "inception"
    blind: ClassVar = {"vendi": ("lightly-blurred", "grain", "blurred")}

    def __init__(self) -> None:
        self._count = torch.zeros(GROUPS, dtype=torch.int64)
        self._outer = torch.zeros(0)

    def fake(self, features: dict[str, Tensor], group: Tensor) -> None:
        """Add up the outer products of unit vectors, by group (N,); see ``compute``."""
        rows = vectors(features, "vendi").double()
        refuse_non_finite(rows)
        length = vector_norm(rows, dim=1, keepdim=True)
        if not length.all():
            raise DataError(
                "vendi compares the directions of features, and those of an image are all zero. "
                "Give another extractor, such as efficientnet-lite0."
            )
        unit = rows / length
        if not len(self._outer):
            self._outer = torch.zeros(GROUPS, unit.shape[1], unit.shape[1], dtype=torch.float64)
        self._count += torch.bincount(group, minlength=GROUPS)
        for g in group.unique().tolist():
            self._outer[g].addmm_(unit[group == g].mT, unit[group == g])

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The score, from d x d for features of d numbers; raises DataError without an image."""
        groups = [g for g in range(GROUPS) if g != without and self._count[g]]
        if not groups:
            raise DataError("vendi wants at least one fake image. Give more.")
        # summed one by one, as indexing with a list would copy nearly all of them
        total = sum((self._outer[g] for g in groups[1:]), start=self._outer[groups[0]])
        shares = eigvalsh(total / self._count[groups].sum()).clamp(min=0)
        return {"vendi": math.exp(torch.special.entr(shares).sum().item())}
