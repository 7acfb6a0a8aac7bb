"""XDoG: ink drawings by an extended difference of Gaussians.

Winnemöller, Kyprianidis and Olsen 2012, XDoG: An eXtended difference-of-Gaussians compendium
including advanced image stylization, https://doi.org/10.1016/j.cag.2012.03.004; its equations 5 and
7.  The formulas were taken from several independent programs, which agree.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Interval
from torch import Tensor

from ganzoo_npr._pictures import Drawing, blur, from_unit, in_float32, to_lab, to_unit


class XDoG(Drawing):
    """Black ink on white paper, drawn where the picture is darker than around (XDoG 2012).

    With the lightness L in [0, 1] and Gaussian blurs G of it, S = (1 + p) G_sigma - p G_1.6sigma.
    Paper is where S is at least ``threshold``; below it the tone is 1 + tanh(softness (S -
    threshold)).  Dark areas of the picture become black areas.

    Args:
        sigma: Width of the lines in pixels.
        sharpness: p, how much contrasts are enhanced; from 10 to 100.
        threshold: From which lightness on there is paper.
        softness: phi, how hard the ink's edge is; 1000 is pure black and white.
    """

    def __init__(
        self,
        sigma: Annotated[float, Interval(gt=0, le=50)] = 1.2,
        sharpness: Annotated[float, Interval(ge=0, le=1000)] = 15.0,
        threshold: Annotated[float, Interval(ge=0, le=1)] = 0.4,
        softness: Annotated[float, Gt(0)] = 8.0,
    ):
        super().__init__()
        self.sigma = sigma
        self.sharpness = sharpness
        self.threshold = threshold
        self.softness = softness

    @in_float32
    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) to a drawing of the same size, its three channels equal."""
        light = to_lab(to_unit(photo))[:, :1] / 100
        return from_unit(self.ink(light)).expand(-1, 3, -1, -1)

    def ink(self, light: Tensor) -> Tensor:
        """Return the tone of lightness (N, 1, H, W) in [0, 1]: 0 is ink, 1 is paper."""
        p = self.sharpness
        sharp = (1 + p) * blur(light, self.sigma) - p * blur(light, 1.6 * self.sigma)
        over = sharp - self.threshold
        # a sum of weights may be off 1 by a rounding error, which p multiplies
        return torch.where(over >= -1e-5, 1.0, 1 + torch.tanh(self.softness * over))
