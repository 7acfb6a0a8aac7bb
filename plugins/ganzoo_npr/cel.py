"""Cel shading: flat colours in light and shadow, with black outlines.

Luque 2012, The Cel Shading Technique; Lake, Marshall, Harris and Blackstein 2000, Stylized
rendering techniques for scalable real-time 3D animation, https://doi.org/10.1145/340916.340918.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import normalize

from ganzoo.errors import DataError
from ganzoo_npr._palette import labels, painted, palette
from ganzoo_npr._pictures import (
    Drawing,
    from_lab,
    from_linear,
    from_unit,
    in_float32,
    to_lab,
    to_linear,
    to_unit,
)
from ganzoo_npr.gbuffer_lines import profiles
from ganzoo_npr.l0 import flatten

#: how strongly colours are flattened before the palette is made
FLAT = 0.02
#: the least light that the estimated lamp leaves
DARKEST = 0.35
#: the gradient of the depth, in pixels, that draws a full outline
OUTLINE = 3.0


class Cel(Drawing):
    """Flat colours, a hard shadow and black outlines (Lake 2000, Luque 2012).

    The shade of a point is a ramp of steps in n . l, with the surface's normal n and the direction
    l to the lamp.  The flat colours are the photo's without its shading, reduced to a palette;
    outlines are where the depth jumps.

    Args:
        lamp: Direction to the lamp: x to the right, y down, z towards the camera.  By default it is
            estimated from the photo, as of a matte surface.
        steps: Where the ramp steps, as values of n . l from high to low.
        shades: The light on each step, from lit to shadow; one more than steps.
        colors: Number of flat colours.
    """

    def __init__(
        self,
        lamp: tuple[float, float, float] | None = None,
        steps: list[float] | None = None,
        shades: list[float] | None = None,
        colors: Annotated[int, Interval(ge=2, le=64)] = 12,
    ):
        super().__init__()
        self.lamp = lamp
        self.steps = [0.5, 0.12] if steps is None else steps
        self.shades = [1.0, 0.8, 0.6] if shades is None else shades
        self.colors = colors
        if len(self.shades) != len(self.steps) + 1:
            raise DataError(
                f"cel: {len(self.shades)} shades and {len(self.steps)} steps. Give one shade more "
                "than steps: the light above the first step, between steps, and below the last."
            )
        if lamp is not None and not any(lamp):
            raise DataError("cel: lamp [0, 0, 0] is no direction. Give one, as [-0.5, -0.5, 0.7].")

    @in_float32
    def forward(self, photo: Tensor, normal: Tensor, depth: Tensor) -> Tensor:
        """(N, 3, H, W), unit normals likewise, and depth (N, 1, H, W), to a drawing.

        Depth is in shares of the width.
        """
        normal = normalize(normal, dim=1)
        light = to_linear(to_unit(photo))
        lamp, shading = lamp_of(light, normal)
        albedo = flatten(from_linear(light / shading), FLAT)
        lab = to_lab(albedo)
        colors = palette(lab, self.colors)
        flat = from_lab(painted(labels(lab, colors), colors))
        if self.lamp is not None:
            lamp = normalize(photo.new_tensor(self.lamp), dim=0).expand(len(photo), 3)
        ink = profiles(depth * photo.shape[-1], OUTLINE)
        return from_unit(flat * self.ramp(normal, lamp) * (1 - ink))

    def ramp(self, normal: Tensor, lamp: Tensor) -> Tensor:
        """Return the shade (N, 1, H, W) of unit normals under lamps (N, 3)."""
        cosine = (normal * lamp[:, :, None, None]).sum(1, keepdim=True)
        shade = torch.full_like(cosine, self.shades[0])
        for step, tone in zip(self.steps, self.shades[1:], strict=True):
            shade = torch.where(cosine < step, tone, shade)
        return shade


def lamp_of(light: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the lamp's direction (N, 3) and the shading (N, 1, H, W) of linear light.

    The logarithm of the brightness is fitted by the normal, so that colours cancel out on average;
    the shading is 1 where the surface faces the camera.
    """
    tone = (light.mean(1, keepdim=True) + 0.02).log().flatten(2).mT
    # what faces the camera squarely, as a background does, says nothing of the lamp
    weight = (normal[:, 2:] < 0.995).to(light).flatten(2).mT
    sides = torch.cat([normal.flatten(2).mT, torch.ones_like(tone)], 2)
    square = sides.mT @ (weight * sides) + 1e-3 * torch.eye(4).to(light)
    fit = torch.linalg.solve(square, sides.mT @ (weight * tone))  # (N, 4, 1)
    lamp = normalize(fit[:, :3, 0] + 1e-6 * light.new_tensor([0, 0, 1]), dim=1)
    log_shade = ((sides - sides.new_tensor([0, 0, 1, 1])) @ fit).mT.unflatten(2, light.shape[2:])
    return lamp, log_shade.exp().clamp(DARKEST, 1 / DARKEST)
