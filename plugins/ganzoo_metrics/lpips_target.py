"""LPIPS to the real twin: how unlike the right picture a fake looks to a network.

Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric,
https://arxiv.org/abs/1801.03924.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo_metrics._features import vectors
from ganzoo_metrics._pairs import PairMean
from ganzoo_metrics._rows import refuse_non_finite


class LPIPSTarget(PairMean):
    """The mean LPIPS between each fake and its real twin (Zhang 2018).

    The extractor ``lpips`` gives vectors whose squared distance is LPIPS; 0 is best.  The dataset
    must be paired: otherwise ``real`` is another picture.
    """

    higher_is_better: ClassVar = {"lpips-target": False}
    standard = "lpips-alex"

    def pair(
        self, real_features: dict[str, Tensor], fake_features: dict[str, Tensor], group: Tensor
    ) -> None:
        """Compare phi (N, D) with phi (N, D); raises DataError if a value is not finite."""
        real, fake = (vectors(f, "lpips-target") for f in (real_features, fake_features))
        for rows in (real, fake):
            refuse_non_finite(rows)
        self.add((real.double() - fake.double()).square().sum(1), group)
