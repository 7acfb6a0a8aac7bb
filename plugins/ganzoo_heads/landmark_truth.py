"""Are a drawing's eyes, nose, mouth and jaw where they belong?  The truth is known."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_heads.finder import POINTS, error, trained


class LandmarkTruth(Evaluator):
    """How far the landmarks of a fake are from the true ones of its real twin.

    Needs the fields `real` and `real_landmarks` of a paired dataset, as heads have them.
    ``landmark-error`` is the mean distance over 68 landmarks, over the distance of the outer
    corners of the true eyes, mean over the fakes: 0.05 is 5 % (the measure of 300-W, Sagonas 2013).

    A small network finds the fake's landmarks.  It was trained on drawn heads and photos of heads
    by `python -m ganzoo_heads.finder_training`, and no landmark loss is computed on it, so that it
    judges such a loss by what that does not minimise.  Of heads that it has not seen it is off by
    2.3 % in style anime, 2.3 % in ink and 4.1 % in photos; ``finder.json`` beside it has the error
    of each part of the face.  Perfect drawings score no less: compare with the row held-out.
    """

    higher_is_better: ClassVar = {"landmark-error": False}
    # the finder has learnt to look through blur and grain; faces lie much alike in all pictures
    blind: ClassVar = {"landmark-error": ("lightly-blurred", "grain", "blurred", "repeated")}

    def __init__(self) -> None:
        self._network = trained()
        self._sums = torch.zeros(GROUPS, dtype=torch.float64)
        self._counts = torch.zeros(GROUPS, dtype=torch.int64)

    @torch.no_grad()
    def pair(self, real_landmarks: Tensor, fake: Tensor, group: Tensor) -> None:
        """Compare fakes (N, 3, H, W) in [-1, 1] with true landmarks (N, 68, 2).

        Raises DataError if there are others than the 68 of 300-W.
        """
        if real_landmarks.shape[1] != POINTS:
            raise DataError(
                f"landmark-error wants the {POINTS} landmarks of 300-W, and this dataset has "
                f"{real_landmarks.shape[1]}. Evaluate on heads, as benchmark heads-64 does."
            )
        points = torch.cat([self._network(part) for part in fake.split(16)])
        self._sums.index_add_(0, group, error(points, real_landmarks).double())
        self._counts += torch.bincount(group, minlength=GROUPS)

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The score; raises DataError without any pair."""
        groups = torch.arange(GROUPS) != (-1 if without is None else without)
        if not (count := int(self._counts[groups].sum())):
            raise DataError("landmark-error wants at least one pair. Evaluate on more images.")
        return {"landmark-error": (self._sums[groups].sum() / count).item()}
