"""Video abstraction: smoothed colours in a few tones, and ink lines.

Winnemöller, Olsen and Gooch 2006, Real-time video abstraction,
https://doi.org/10.1145/1141911.1142018.  The bilateral filter is applied along rows and then along
columns, as there (Pham and van Vliet 2005, https://doi.org/10.1109/ICME.2005.1521458).
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import pad

from ganzoo_npr import flow
from ganzoo_npr._pictures import (
    Drawing,
    blur,
    from_lab,
    from_unit,
    gradient,
    in_float32,
    to_lab,
    to_unit,
)

#: the sharpness of a tone's edge, for gradients of L from 0 to 2 per pixel
SOFTEST, SHARPEST, STEEP = 3.0, 14.0, 2.0
#: the wider Gaussian of the lines, over the narrower one
SQRT_1_6 = 1.6**0.5


class Abstraction(Drawing):
    """Simplify a photo into smooth areas of a few tones, and draw its lines (Winnemöller 2006).

    In CIELAB: a bilateral filter, a soft quantisation of the lightness, and lines by a difference
    of Gaussians.  ``form: flow`` lets both follow the picture's own directions (Kyprianidis and
    Döllner 2008, Image abstraction by structure adaptive filtering), so that lines connect.

    Args:
        form: ``plain`` as in 2006, or ``flow`` as in 2008.
        rounds: How often the bilateral filter is applied; the lines come from the first one.
        spread: The bilateral filter's deviation in space, in pixels.
        tolerance: Its deviation in colour, in units of CIELAB: larger differences stay.
        tones: Number of tones of the lightness.
        sigma: Width of the lines in pixels.
        tau: Sensitivity of the lines: the nearer to 1, the more lines.
        ink: phi, how dark the lines are.
    """

    def __init__(
        self,
        form: Literal["plain", "flow"] = "plain",
        rounds: Annotated[int, Interval(ge=1, le=20)] = 4,
        spread: Annotated[float, Interval(gt=0, le=20)] = 3.0,
        tolerance: Annotated[float, Interval(gt=0, le=100)] = 4.25,
        tones: Annotated[int, Interval(ge=2, le=50)] = 8,
        sigma: Annotated[float, Interval(gt=0, le=20)] = 1.0,
        tau: Annotated[float, Interval(gt=0, le=1)] = 0.98,
        ink: Annotated[float, Interval(gt=0, le=100)] = 2.0,
    ):
        super().__init__()
        self.form = form
        self.rounds = rounds
        self.spread = spread
        self.tolerance = tolerance
        self.tones = tones
        self.sigma = sigma
        self.tau = tau
        self.ink = ink

    @in_float32
    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) to a drawing of the same size."""
        rgb = to_unit(photo)
        lab = to_lab(rgb)
        along = flow.tangents(rgb) if self.form == "flow" else None
        first = smooth = self._smooth(lab, along)
        for _ in range(self.rounds - 1):
            smooth = self._smooth(smooth, along)
        if along is None:
            lines = draw_lines(first[:, :1], self.sigma, self.tau, self.ink)
        else:
            lines = flow.draw_lines(first[:, :1], along, self.sigma)
        light = quantise(smooth[:, :1], self.tones) * lines
        return from_unit(from_lab(torch.cat([light, smooth[:, 1:]], 1)))

    def _smooth(self, lab: Tensor, along: Tensor | None) -> Tensor:
        if along is None:
            return bilateral(lab, self.spread, self.tolerance)
        return flow.bilateral(lab, along, self.spread, self.tolerance)


def bilateral(lab: Tensor, spread: float, tolerance: float | Tensor) -> Tensor:
    """Smooth (N, 3, H, W) where colours are alike; ``tolerance`` may differ by pixel."""
    for axis in (-1, -2):
        lab = _bilateral_along(lab, axis, spread, tolerance)
    return lab


def _bilateral_along(lab: Tensor, axis: int, spread: float, tolerance: float | Tensor) -> Tensor:
    reach, length = round(2 * spread), lab.shape[axis]
    border = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
    wide = pad(lab, border, mode="replicate")
    scale = -0.5 / tolerance**2
    total, weights = lab.clone(), torch.ones_like(lab[:, :1])
    for step in range(-reach, reach + 1):
        if step:
            other = wide.narrow(axis, reach + step, length)
            apart = (other - lab).square_().sum(1, keepdim=True)
            weight = (apart * scale - step**2 / (2 * spread**2)).exp_()
            total.addcmul_(other, weight)
            weights += weight
    return total / weights


def quantise(light: Tensor, tones: int) -> Tensor:
    """Round L (N, 1, H, W) in [0, 100] to ``tones``, softly where it hardly changes."""
    width = 100 / tones
    right, down = gradient(light)
    steep = (right.square() + down.square()).sqrt().clamp(0.0, STEEP) / STEEP
    sharpness = SOFTEST + (SHARPEST - SOFTEST) * steep
    nearest = (light / width).round() * width
    return nearest + width / 2 * torch.tanh(sharpness * (light - nearest))


def draw_lines(light: Tensor, sigma: float, tau: float, ink: float) -> Tensor:
    """Return the tone of the lines of L (N, 1, H, W) in [0, 100]: 0 is ink, 1 is paper."""
    over = blur(light, sigma) - tau * blur(light, SQRT_1_6 * sigma)
    return torch.where(over > 0, 1.0, 1 + torch.tanh(ink * over))
