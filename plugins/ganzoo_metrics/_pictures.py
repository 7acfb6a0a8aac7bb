"""Measure pixels: brightness, colour, edges, and histograms."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.interfaces import GROUPS

#: rows Y, U, V; columns R, G, B: ITU-R BT.601 (2011), with U and V as in PAL
_YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)


def yuv(image: Tensor) -> Tensor:
    """Convert (N, 3, H, W) in [-1, 1] to float64 Y in [0, 1], U in ±0.44, V in ±0.62."""
    rgb = (image.double() + 1) / 2
    return torch.einsum("ij,njhw->nihw", rgb.new_tensor(_YUV), rgb)


def gradient(image: Tensor) -> Tensor:
    """Return the change of brightness Y per pixel, (N, H - 2, W - 2), by Sobel's operator."""
    y = yuv(image)[:, 0]
    across = y[:, :, 2:] - y[:, :, :-2]
    down = y[:, 2:] - y[:, :-2]
    # both span two pixels, and are averaged over three lines with the weights 1, 2, 1
    dx = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    dy = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    return torch.hypot(dx, dy) / 8


class Histogram:
    """Counts of each value in images, by group of images."""

    def __init__(self, values: int):
        self._counts = torch.zeros(GROUPS, values, dtype=torch.int64)
        self._images = torch.zeros(GROUPS, dtype=torch.int64)

    def add(self, values: Tensor, group: Tensor) -> None:
        """Count the int64 values (N, P) of N images in the groups (N,)."""
        size = self._counts.shape[1]
        places = (values + group[:, None] * size).flatten()
        self._counts += torch.bincount(places, minlength=GROUPS * size).view(GROUPS, size)
        self._images += torch.bincount(group, minlength=GROUPS)

    def images(self, without: int | None = None) -> int:
        """Count the images outside of a group."""
        return int(_outside(self._images, without))

    def shares(self, without: int | None = None) -> Tensor:
        """Return the share of each value outside of a group, float64."""
        counts = _outside(self._counts, without).double()
        return counts / counts.sum()


def _outside(of_groups: Tensor, without: int | None) -> Tensor:
    """Sum over all groups but one."""
    total = of_groups.sum(0)
    return total if without is None else total - of_groups[without]
