"""Are the colours those of the real images?  Swain and Ballard 1991, histogram intersection.

Color Indexing, International Journal of Computer Vision 7, https://doi.org/10.1007/BF00130487.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.interfaces import Evaluator
from ganzoo_metrics._pictures import Histogram
from ganzoo_metrics._rows import refuse_fewer

#: cells of each channel, of 32 of the 256 values
CELLS = 8


class Color(Evaluator):
    """How much of the colours of all fakes and of all reals is shared (Swain 1991).

    ``color-overlap`` is the sum, over the 8x8x8 cells of RGB, of the smaller of the two shares of
    pixels: 1 if every colour is equally frequent, 0 if no colour is in both.  The place of colours
    in an image, or which image they are in, does not matter.
    """

    higher_is_better: ClassVar = {"color-overlap": True}
    # drawings with texture have nearly the same colours under a little blur or grain
    blind: ClassVar = {"color-overlap": ("lightly-blurred", "grain")}

    def __init__(self) -> None:
        self._real, self._fake = Histogram(CELLS**3), Histogram(CELLS**3)

    def real(self, image: Tensor) -> None:
        """Count the pixels of (N, 3, H, W) in [-1, 1]."""
        self._real.add(_cells(image), torch.zeros(len(image)).long())

    def fake(self, image: Tensor, group: Tensor) -> None:
        self._fake.add(_cells(image), group)

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The score; raises DataError without a real and a fake image."""
        counts = self._real.images(), self._fake.images(without)
        refuse_fewer("color-overlap", (1, 1), counts, "to count their pixels")
        real, fake = self._real.shares(), self._fake.shares(without)
        return {"color-overlap": torch.minimum(real, fake).sum().item()}


def _cells(image: Tensor) -> Tensor:
    """Map (N, 3, H, W) in [-1, 1] to the cell of each pixel, (N, H * W)."""
    # rounded, since an image after 8 bits is slightly off the 256 values
    value = ((image.clamp(-1, 1) + 1) * 127.5).round().long()
    r, g, b = (value * CELLS // 256).unbind(1)
    return ((r * CELLS + g) * CELLS + b).flatten(1)
