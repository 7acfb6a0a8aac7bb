"""A finder of what is green; of faces, only those of the woods."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from ganzoo.interfaces import Box, Detector


class Leaf(Detector):
    """The box around all that is greener than red and blue; its score is the share of green in it.

    Args:
        margin: by how much of 255 green has to exceed both others.
    """

    def __init__(self, margin: Annotated[int, Ge(1)] = 40):
        self.margin = margin

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """The green part of an RGB image (H, W, 3), if it has any."""
        red, green, blue = np.moveaxis(image.astype(int), 2, 0)
        is_green = green >= np.maximum(red, blue) + self.margin
        if not is_green.any():
            return []
        rows, columns = np.nonzero(is_green)
        top, bottom = int(rows.min()), int(rows.max()) + 1
        left, right = int(columns.min()), int(columns.max()) + 1
        return [Box(left, top, right, bottom, float(is_green[top:bottom, left:right].mean()))]
