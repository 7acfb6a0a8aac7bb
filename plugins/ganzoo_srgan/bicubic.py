"""Bicubic interpolation, what every network for super-resolution is measured against.

Keys 1981, Cubic convolution interpolation for digital image processing,
https://doi.org/10.1109/TASSP.1981.1163711.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo.interfaces import Generator


class Bicubic(Generator):
    """Enlarges images of any size by bicubic interpolation, with a = -0.5 as in Pillow (Keys 1981).

    It has no weights: `ganzoo model new bicubic --out FOLDER` makes a model of it.

    Args:
        scale: how many times larger the output is.
    """

    def __init__(self, scale: Literal[2, 3, 4, 8] = 4):
        super().__init__()
        self.output_scale = scale

    def forward(self, low: Tensor) -> Tensor:
        """Enlarge images (N, 3, H, W) in [-1, 1] to (N, 3, scale H, scale W)."""
        # torch has a = -0.75 without ``antialias``, which changes nothing else when images grow
        large = interpolate(low, scale_factor=self.output_scale, mode="bicubic", antialias=True)
        return large.clamp(-1, 1)
