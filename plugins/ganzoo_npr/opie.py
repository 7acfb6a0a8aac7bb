"""Portraits in the manner of Julian Opie: flat colours, thick black lines, dots for eyes.

After Rosin and Lai 2015, Non-photorealistic rendering of portraits, Expressive (Computational
Aesthetics), https://dl.acm.org/doi/10.5555/2811239.2811247.  Its abstract was followed; how each
step is done is ours.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import max_pool2d, one_hot, pad

from ganzoo_npr._face import CROP, Face, Finder, Finding
from ganzoo_npr._palette import labels, painted, palette
from ganzoo_npr._pictures import (
    Drawing,
    blur,
    from_lab,
    from_unit,
    in_float32,
    to_lab,
    to_unit,
)
from ganzoo_npr.l0 import flatten
from ganzoo_npr.xdog import XDoG

#: lengths as shares of the shorter side: of the smoothed areas' blur, of a line
SOFT, LINE = 1 / 90, 1 / 110
#: how far a colour of skin may be from the face's own, in CIELAB with half its lightness
SKIN = 15.0
#: areas whose colours are nearer than this have no line between them
ALIKE = 12.0
#: diameter of an eye, in distances of the eyes
EYE = 0.12
#: half the length of a brow, likewise
BROW = 0.28
INK = 0.0


class Opie(Drawing):
    """A portrait of flat areas with thick black outlines, and two dots for eyes.

    After Rosin and Lai 2015.  Skin is the region around the face of nearly its colour, in one
    colour; all else is flattened and gets ``colors`` colours.  Nose and mouth are ink lines.
    Without a face there are areas and outlines alone.  The dataset's ``landmarks`` of figurines are
    used where there are some.

    Args:
        finder: ``face68`` finds the face (its weights are needed); ``frame`` takes it to be where
            `ganzoo data faces` puts it.
        crop: Where face68 looks: left, top, right, bottom as fractions of the picture.
        colors: Number of colours beside skin and black.
    """

    tileable: ClassVar[bool] = False

    def __init__(
        self,
        finder: Finding = "face68",
        crop: tuple[float, float, float, float] = CROP,
        colors: Annotated[int, Interval(ge=2, le=10)] = 4,
    ):
        super().__init__()
        self.finder = finder
        self.colors = colors
        self._find = Finder(finder, crop)

    @in_float32
    def forward(self, photo: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """(N, 3, H, W) and perhaps landmarks (N, 7, 2) to a drawing of the same size."""
        points, has_face = self._find(photo, landmarks)
        has_face = has_face[:, None, None, None]
        height, width = photo.shape[-2:]
        side = min(height, width)
        face = Face(points, height, width)
        rgb = to_unit(photo)
        lab = to_lab(flatten(rgb, 0.1))
        fine = to_lab(flatten(rgb, 0.02))
        skin_color = _median(to_lab(rgb), face.inner() * (1 - face.parts()))
        skin = torch.maximum(_skin(fine, skin_color, face), face.parts(0.1)) * has_face
        colors = palette(lab, self.colors, 1 - skin)
        index = torch.where(skin[:, 0] > 0.5, self.colors, labels(lab, colors))
        index = _simple(index, self.colors + 1, max(0.7, side * SOFT))
        colors = torch.cat([colors, skin_color[:, None]], 1)
        # lighter and more saturated, as of paint rather than of a photo
        paint = torch.cat([100 - 0.85 * (100 - colors[..., :1]), 1.35 * colors[..., 1:]], -1)
        drawing = from_lab(painted(index, paint))
        lines = _outlines(index, colors, max(1, round(side * LINE)))
        strokes = XDoG(max(0.6, side / 140), 20.0, 0.35, 1000.0).ink(to_lab(rgb)[:, :1] / 100)
        shapes = face.shapes(0.04)
        near = torch.minimum(shapes["nose"], shapes["mouth"]) < 1
        lines = lines | ((near & (strokes < 0.5) | _dots(face)) & (has_face > 0.5))
        return from_unit(torch.where(lines, INK, drawing))


def _dots(face: Face) -> Tensor:
    """Return where the eyes' dots and the brows' strokes are, (N, 1, H, W)."""
    eyes = [face.ellipse(face.points[:, i], EYE / 2, EYE / 2) for i in (0, 1)]
    brows = [face.ellipse(face.points[:, i], BROW, BROW / 6) for i in (5, 6)]
    return torch.stack([*eyes, *brows]).amin(0) < 1


def _median(lab: Tensor, mask: Tensor) -> Tensor:
    """Return the median colour (N, 3) of (N, 3, H, W) where the mask (N, 1, H, W) is set."""
    inside = torch.where(mask > 0.5, lab, torch.nan).flatten(2)
    return inside.nanmedian(2).values.nan_to_num(50.0)


def _skin(lab: Tensor, color: Tensor, face: Face) -> Tensor:
    """Return the mask of what has nearly this colour and is connected with the face."""
    apart = (lab - color[:, :, None, None]) * lab.new_tensor([0.5, 1, 1])[:, None, None]
    like = (apart.norm(dim=1, keepdim=True) < SKIN).to(lab)
    inner = face.inner()
    at = (face.middle + face.points[:, 2]) / 2
    head = (face.ellipse(at, 1.4, 0.5 * face.drop + 1.35) < 1).to(lab)
    like = torch.maximum(like * head, inner)
    region = inner
    for _ in range(max(lab.shape[-2:]) // 4):  # a step is two pixels
        region = max_pool2d(region, 5, 1, 2) * like
    return region


def _simple(index: Tensor, count: int, sigma: float) -> Tensor:
    """Give areas (N, H, W) round outlines: the most usual index around each pixel."""
    planes = one_hot(index, count).permute(0, 3, 1, 2).float()
    for _ in range(2):
        planes = one_hot(blur(planes, sigma).argmax(1), count).permute(0, 3, 1, 2).float()
    return planes.argmax(1)


def _outlines(index: Tensor, colors: Tensor, width: int) -> Tensor:
    """Return where areas of different colours meet, (N, 1, H, W), about ``width`` pixels wide."""
    image = painted(index, colors)
    frame = pad(image, (1, 0, 1, 0), mode="replicate")
    right = (image - frame[..., 1:, :-1]).norm(dim=1, keepdim=True)
    down = (image - frame[..., :-1, 1:]).norm(dim=1, keepdim=True)
    edge = (torch.maximum(right, down) > ALIKE).to(image)
    return max_pool2d(edge, 2 * (width // 2) + 1, 1, width // 2) > 0.5
