"""LPIPS diversity: the mean perceptual distance between images.

The distance: Zhang et al. 2018, https://arxiv.org/abs/1801.03924.  Its mean over pairs as a
measure of diversity: Zhu et al. 2017 (BicycleGAN), https://arxiv.org/abs/1711.11586, section 5.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator
from ganzoo_metrics._features import vectors
from ganzoo_metrics.diversity import Spread


class LPIPSDiversity(Evaluator):
    """The mean LPIPS over all pairs of fakes: do they all look alike? (Zhang 2018, Zhu 2017).

    The extractor ``lpips`` gives vectors phi whose squared distance is LPIPS, |phi(x) - phi(y)|² =
    LPIPS(x, y).  So the mean over all n (n - 1) / 2 pairs is 2 n / (n - 1) times mean |phi|² -
    |mean phi|²: exact, and no pairs are drawn.  It depends on the network and on the size of the
    images, but in expectation not on their number.

    Published numbers use other protocols.  StarGAN v2 makes 10 images from each source and takes
    the mean over their 45 pairs, then over sources: diversity given the source, while this one is
    over all fakes.  After MUNIT one takes 19 pairs from each of 100 sources, 1900 in all.  Few-shot
    papers take the pairs among fakes that are nearest to the same of ten training images, on VGG
    and at 256 pixels.  None can be compared with this one.
    """

    higher_is_better: ClassVar = {"lpips-diversity": True}
    standard = "lpips-alex"
    blind: ClassVar = {"lpips-diversity": ("lightly-blurred", "blurred")}

    def __init__(self) -> None:
        self._fake = Spread()

    def fake(self, features: dict[str, Tensor]) -> None:
        """Add phi, (N, D)."""
        self._fake.add(vectors(features, "lpips-diversity"))

    def compute(self) -> dict[str, float]:
        """The score; raises DataError for fewer than two images."""
        if self._fake.count < 2:
            raise DataError(
                f"lpips-diversity is of pairs, and wants two fake images at least, not "
                f"{self._fake.count}. Give more."
            )
        return {"lpips-diversity": self._fake.mean_squared_distance()}
