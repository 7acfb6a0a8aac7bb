"""LPIPS to the photo: how unlike the photo a fake looks to a network.

Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric,
https://arxiv.org/abs/1801.03924.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator
from ganzoo_metrics._features import vectors
from ganzoo_metrics._rows import refuse_non_finite


class LPIPSPhoto(Evaluator):
    """The mean LPIPS between each photo and its translation (Zhang 2018).

    The extractor ``lpips`` gives vectors whose squared distance is LPIPS.  It is likeness, not
    quality: a good drawing sacrifices some of it for its style, and the photo itself is at 0.
    """

    higher_is_better: ClassVar = {"lpips-photo": False}
    standard = "lpips-alex"
    # beside the wrong photo, real drawings are not nearer than one of them
    blind: ClassVar = {"lpips-photo": ("lightly-blurred", "blurred", "repeated", "photo")}

    def __init__(self) -> None:
        self._pairs = 0
        self._sum = 0.0

    def pair(self, photo_features: dict[str, Tensor], fake_features: dict[str, Tensor]) -> None:
        """Compare phi (N, D) with phi (N, D); raises DataError if a value is not finite."""
        photo, fake = (vectors(f, "lpips-photo") for f in (photo_features, fake_features))
        for rows in (photo, fake):
            refuse_non_finite(rows)
        self._pairs += len(fake)
        self._sum += (photo.double() - fake.double()).square().sum().item()

    def compute(self) -> dict[str, float]:
        """The score; raises DataError without any pair."""
        if not self._pairs:
            raise DataError("lpips-photo wants at least one pair. Give photos.")
        return {"lpips-photo": self._sum / self._pairs}
