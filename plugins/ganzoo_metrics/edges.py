"""Are there as many and as strong edges as in real images?

Edges by the operator of Sobel and Feldman (1968).  The distributions are compared by the distance
of Wasserstein (Vaserstein 1969), also known as earth mover's: https://arxiv.org/abs/1803.00567,
remark 2.30, for its form in one dimension.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, zeros

from ganzoo.interfaces import Evaluator
from ganzoo_metrics._pictures import Histogram, gradient
from ganzoo_metrics._rows import refuse_fewer

#: gradients are counted in steps of a quarter of a gray value
STEPS = 1024


class Edges(Evaluator):
    """How far the strengths of edges in fakes are from those in reals (Wasserstein 1969).

    ``edge-gap`` is the 1-Wasserstein distance between the distributions, over the pixels of all
    fakes and of all reals, of the gradient of the brightness (Sobel, on BT.601 luma).  Its unit is
    black to white per pixel, so 0.01 means that a pixel's gradient must change by 2.55 of 255 gray
    values on average.  Each gradient is rounded to 1/1024. 0 is best; blurred and noisy images are
    far from it.  The place of the edges does not matter.
    """

    higher_is_better: ClassVar = {"edge-gap": False}

    def __init__(self) -> None:
        # no gradient is above sqrt(20) / 8 = 0.56
        self._real, self._fake = Histogram(STEPS), Histogram(STEPS)

    def real(self, image: Tensor) -> None:
        """Count the gradients in (N, 3, H, W) in [-1, 1]."""
        self._real.add(_steps(image), zeros(len(image)).long())

    def fake(self, image: Tensor, group: Tensor) -> None:
        self._fake.add(_steps(image), group)

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The score; raises DataError without a real and a fake image."""
        counts = self._real.images(), self._fake.images(without)
        refuse_fewer("edge-gap", (1, 1), counts, "to count their pixels")
        real, fake = self._real.shares(), self._fake.shares(without)
        # in one dimension it is the area between the cumulative distributions
        return {"edge-gap": ((fake - real).cumsum(0).abs().sum() / STEPS).item()}


def _steps(image: Tensor) -> Tensor:
    """Count the gradient of each pixel in whole steps: (N, 3, H, W) to (N, (H - 2) * (W - 2))."""
    return (gradient(image) * STEPS).round().long().flatten(1)
