"""What scores of a fake beside its real twin share: a mean over pairs, by group."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator

#: rows R, G, B of the digital Y of ITU-R BT.601 (2011), 16 to 235 for RGB in [0, 1]
_LUMA, _BLACK = (65.481, 128.553, 24.966), 16.0


class PairMean(Evaluator):
    """A score that is the mean of one number per pair; ``higher_is_better`` names it."""

    def __init__(self) -> None:
        self._sums = torch.zeros(GROUPS, dtype=torch.float64)
        self._counts = torch.zeros(GROUPS, dtype=torch.int64)

    def add(self, values: Tensor, group: Tensor) -> None:
        """Add the numbers (N,) of pairs in the groups (N,)."""
        self._sums.index_add_(0, group, values.double())
        self._counts += torch.bincount(group, minlength=GROUPS)

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The score; raises DataError without any pair."""
        (name,) = self.higher_is_better
        groups = torch.arange(GROUPS) != (-1 if without is None else without)
        if not (count := int(self._counts[groups].sum())):
            raise DataError(f"{name} wants at least one pair. Evaluate on more images.")
        return {name: (self._sums[groups].sum() / count).item()}


def luma(image: Tensor) -> Tensor:
    """Convert (N, 3, H, W) in [-1, 1] to float64 Y (N, H, W) of BT.601, 16 to 235."""
    rgb = (image.double() + 1) / 2
    return torch.einsum("c,nchw->nhw", rgb.new_tensor(_LUMA), rgb) + _BLACK


def refuse_unlike(real: Tensor, fake: Tensor, score: str, least: int = 1) -> None:
    """Raise DataError if the images differ in size, or a side is below ``least``."""
    sides = [f"{image.shape[3]}x{image.shape[2]} pixels" for image in (real, fake)]
    if real.shape != fake.shape:
        raise DataError(
            f"the real images are {sides[0]} and the fakes {sides[1]}, so {score} cannot compare "
            "them. Measure a model that makes images of the benchmark's size."
        )
    if min(real.shape[2:]) < least:
        raise DataError(
            f"{score} looks at windows of {least}x{least} pixels, and the images are {sides[0]}. "
            "Measure it on larger ones."
        )
