"""Portraits in fine and coarse: more detail where people look.

After Yang, Lin, Luo, Lin and Chao 2010, Semantics-driven portrait cartoon stylization,
https://doi.org/10.1109/ICIP.2010.5652090.  Only its idea is followed: parts of the face decide how
much each region is simplified.  Its grammar of parts and its strokes are not reproduced; regions
are simplified as in ``abstraction``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ganzoo_npr._face import CROP, Face, Finder, Finding
from ganzoo_npr._pictures import (
    Drawing,
    blur,
    from_lab,
    from_unit,
    in_float32,
    to_lab,
    to_unit,
)
from ganzoo_npr.abstraction import bilateral, draw_lines, quantise

ROUNDS, SPREAD = 4, 3.0
#: in salient places and elsewhere: tolerance in CIELAB, number of tones, sensitivity of the lines
FINE, COARSE = (3.0, 16, 0.98), (9.0, 6, 0.96)
#: how far salience reaches beyond eyes, brows, nose and mouth, in distances of the eyes
GROW = 0.1
#: the face between its parts is this salient
FACE = 0.4


class PortraitAbstraction(Drawing):
    """Simplify a portrait little at eyes, brows, nose and mouth, and much elsewhere.

    After Yang 2010, with the filters of Winnemöller 2006.  A picture without a face is simplified
    everywhere.  The dataset's ``landmarks`` of figurines are used where there are some.

    Args:
        finder: ``face68`` finds the face (its weights are needed); ``frame`` takes it to be where
            `ganzoo data faces` puts it.
        crop: Where face68 looks: left, top, right, bottom as fractions of the picture.
        contrast: How much the treatment differs: at 0 it is the same everywhere.
    """

    tileable: ClassVar[bool] = False

    def __init__(
        self,
        finder: Finding = "face68",
        crop: tuple[float, float, float, float] = CROP,
        contrast: Annotated[float, Interval(ge=0, le=1)] = 1.0,
    ):
        super().__init__()
        self.finder = finder
        self.contrast = contrast
        self._find = Finder(finder, crop)

    @in_float32
    def forward(self, photo: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """(N, 3, H, W) and perhaps landmarks (N, 7, 2) to a drawing of the same size."""
        points, has_face = self._find(photo, landmarks)
        detail = self.salience(points, *photo.shape[-2:]) * has_face[:, None, None, None]
        detail = 1 - self.contrast * (1 - detail)
        tolerance = COARSE[0] + detail * (FINE[0] - COARSE[0])
        smooth = first = bilateral(to_lab(to_unit(photo)), SPREAD, tolerance)
        for _ in range(ROUNDS - 1):
            smooth = bilateral(smooth, SPREAD, tolerance)
        # two quantisations are mixed: one of a varying step would draw contours of the salience
        fine, coarse = (quantise(smooth[:, :1], how[1]) for how in (FINE, COARSE))
        light = coarse + detail * (fine - coarse)
        lines = [draw_lines(first[:, :1], 1.0, how[2], 2.0) for how in (FINE, COARSE)]
        light = light * (lines[1] + detail * (lines[0] - lines[1]))
        return from_unit(from_lab(torch.cat([light, smooth[:, 1:]], 1)))

    def salience(self, points: Tensor, height: int, width: int) -> Tensor:
        """Return (N, 1, H, W): 1 on the parts of the face and 0 far from them."""
        face = Face(points, height, width)
        sigma = max(1.0, min(height, width) / 64)
        return blur(torch.maximum(face.parts(GROW), FACE * face.inner()), sigma)
