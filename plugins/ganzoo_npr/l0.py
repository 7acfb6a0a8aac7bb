"""L0 gradient minimisation: flat areas and the strongest edges.

Xu, Lu, Xu and Jia 2011, Image smoothing via L0 gradient minimization,
https://doi.org/10.1145/2024156.2024208; its algorithm 1.  The constants are those of independent
programs, which agree.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import pad

from ganzoo_npr._pictures import Drawing, from_unit, in_float32, to_unit

#: the weight of the gradients grows by this factor, up to this end
KAPPA, BETA_MAX = 2.0, 1e5
#: the Fourier transform makes opposite borders meet, so there is a margin of mirrored pixels
MARGIN = 16


class L0(Drawing):
    """A picture of flat areas: as few changes between neighbours as possible (Xu 2011).

    Minimises the squared difference from the photo plus ``smoothness`` times the number of pixels
    at which any channel changes, by half-quadratic splitting.  Images are in [0, 1].

    Args:
        smoothness: lambda: 0.001 hardly changes a photo, 0.1 leaves a few areas.
    """

    def __init__(self, smoothness: Annotated[float, Interval(ge=0, le=1)] = 0.02):
        super().__init__()
        self.smoothness = smoothness

    @in_float32
    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) to its flattened form, of the same size."""
        return from_unit(flatten(to_unit(photo), self.smoothness))


def flatten(image: Tensor, smoothness: float) -> Tensor:
    """Flatten (N, C, H, W) in [0, 1]; all channels of a pixel decide together."""
    if smoothness == 0:
        return image
    height, width = image.shape[-2:]
    rows, columns = min(MARGIN, height - 1), min(MARGIN, width - 1)
    wide = pad(image, (columns, columns, rows, rows), mode="reflect")
    smooth = _minimise(wide, smoothness)[..., rows : rows + height, columns : columns + width]
    # of all pictures with these gradients, the nearest has the photo's own mean
    return smooth + (image - smooth).mean((2, 3), keepdim=True)


def _minimise(image: Tensor, smoothness: float) -> Tensor:
    sides = image.shape[-2:]
    waves, power = torch.fft.rfft2(image), _power(image)
    smooth, beta = image, 2 * smoothness
    while beta < BETA_MAX:
        right, down = smooth.roll(-1, -1) - smooth, smooth.roll(-1, -2) - smooth
        strength = (right.square() + down.square()).sum(1, keepdim=True)
        mask = (strength >= smoothness / beta).to(image)
        right, down = right * mask, down * mask
        # the transpose of the differences, in place of a Fourier transform of each
        back = right.roll(1, -1) - right + down.roll(1, -2) - down
        waves_now = (waves + beta * torch.fft.rfft2(back)) / (1 + beta * power)
        smooth = torch.fft.irfft2(waves_now, s=sides)
        beta *= KAPPA
    return smooth


def _power(image: Tensor) -> Tensor:
    """Return the squared size of the differences' transfer functions, (H, W // 2 + 1)."""
    height, width = image.shape[-2:]
    down = torch.arange(height, device=image.device).to(image) * (2 * torch.pi / height)
    right = torch.arange(width // 2 + 1, device=image.device).to(image) * (2 * torch.pi / width)
    return (2 - 2 * down.cos())[:, None] + (2 - 2 * right.cos())
