"""How far is a fake from its real twin, pixel by pixel?  The L1 distance of pix2pix.

Isola, Zhu, Zhou and Efros 2016, Image-to-image translation with conditional adversarial networks,
https://arxiv.org/abs/1611.07004, equation 3.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo_metrics._pairs import PairMean, refuse_unlike


class Pixels(PairMean):
    """The mean absolute difference of a fake's pixels from its real twin's (Isola 2016).

    R, G and B are in [0, 1], so 0.01 is 2.55 of 255 values; 0 is best.  The dataset must be paired:
    otherwise ``real`` is another picture.
    """

    higher_is_better: ClassVar = {"pixels": False}

    def pair(self, real: Tensor, fake: Tensor, group: Tensor) -> None:
        """Compare (N, 3, H, W) with (N, 3, H, W); raises DataError if the sizes differ."""
        refuse_unlike(real, fake, "pixels")
        self.add((fake.double() - real.double()).abs().mean((1, 2, 3)) / 2, group)
