"""Lines from geometry: outlines and creases of what was rendered.

Saito and Takahashi 1990, Comprehensible rendering of 3-D shapes,
https://doi.org/10.1145/97880.97901, section 4.1.  The operators were taken from a description, not
from the paper's text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from ganzoo_npr._pictures import Drawing, from_unit, in_float32, to_unit
from ganzoo_npr.l0 import flatten

#: how strongly the photo's colours are flattened
FLAT = 0.05


class GBufferLines(Drawing):
    """Draw profiles and creases from the depth of a scene (Saito and Takahashi 1990).

    Profiles are where the depth jumps: a first-order operator, measured against its range among the
    neighbours, so that slopes draw nothing.  Creases are where it bends: a second-order operator.
    Depth is in pixels, so a gradient of 1 is a slope of 45 degrees.

    Args:
        paper: ``photo`` draws on the photo's flattened colours, ``white`` on white.
        profile: The jump of the gradient that draws a full line; smaller is more lines.
        crease: The bend in pixels that draws a full line; smaller is more lines.
    """

    def __init__(
        self,
        paper: Literal["photo", "white"] = "photo",
        profile: Annotated[float, Interval(gt=0, le=1000)] = 3.0,
        crease: Annotated[float, Interval(gt=0, le=1000)] = 2.5,
    ):
        super().__init__()
        self.paper = paper
        self.profile = profile
        self.crease = crease

    @in_float32
    def forward(self, photo: Tensor, depth: Tensor) -> Tensor:
        """(N, 3, H, W) and depth (N, 1, H, W), in shares of the width, to a drawing."""
        pixels = depth * photo.shape[-1]
        ink = torch.maximum(profiles(pixels, self.profile), 0.7 * creases(pixels, self.crease))
        rgb = to_unit(photo)
        paper = flatten(rgb, FLAT) if self.paper == "photo" else torch.ones_like(rgb)
        return from_unit(paper * (1 - ink))


def slopes(depth: Tensor) -> Tensor:
    """Return the first-order operator on (N, 1, H, W): the gradient's size, about."""
    a, b, c, d, _, f, g, e, h = _neighbours(depth)
    down = (a + 2 * b + c - g - 2 * e - h).abs()
    across = (c + 2 * f + h - a - 2 * d - g).abs()
    return (down + across) / 8


def profiles(depth: Tensor, full: float) -> Tensor:
    """Return lines in [0, 1] where the depth (N, 1, H, W) jumps; ``full`` is a line's gradient."""
    slope = slopes(depth)
    most, least = _largest(slope), -_largest(-slope)
    # only the range counts: a steep but even slope is no profile
    line = ((slope - least) / full).clamp(0, 1)
    line = line * (slope >= 0.5 * most)  # as wide as the jump, not as the operator
    return -_largest(-_largest(line))  # closes the gap in the middle of a wide one


def _largest(field: Tensor) -> Tensor:
    return max_pool2d(pad(field, (1, 1, 1, 1), mode="replicate"), 3, 1)


def creases(depth: Tensor, full: float) -> Tensor:
    """Return lines in [0, 1] where the depth (N, 1, H, W) bends; ``full`` is a line's bend."""
    near = _neighbours(depth)
    bend = (8 * near[4] - sum(near[:4]) - sum(near[5:])) / 3
    return (bend.abs() / full).clamp(0, 1)


def _neighbours(depth: Tensor) -> list[Tensor]:
    """Return the nine pixels around each, row by row."""
    height, width = depth.shape[-2:]
    wide = pad(depth, (1, 1, 1, 1), mode="replicate")
    return [wide[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
