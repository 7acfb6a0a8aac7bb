"""Colours of a picture by k-means in CIELAB, the same at every call.

Lloyd 1982, Least squares quantization in PCM, https://doi.org/10.1109/TIT.1982.1056489; its centres
begin as far apart as they can (Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5).
"""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 10
#: pixels that a palette is made from
_SEEN = 4096


def palette(lab: Tensor, count: int, counts: Tensor | None = None) -> Tensor:
    """Return ``count`` colours (N, count, 3) of (N, 3, H, W).

    ``counts`` (N, 1, H, W) are the pixels' weights, by default equal.
    """
    colors = lab.flatten(2).mT  # (N, P, 3)
    every = max(1, colors.shape[1] // _SEEN)
    colors = colors[:, ::every]
    weight = torch.ones_like(colors[..., 0])
    if counts is not None:
        weight = counts.flatten(1)[:, ::every] + 1e-6
    centres = _apart(colors, weight, count)
    for _ in range(_ROUNDS):
        member = torch.nn.functional.one_hot(_nearest(colors, centres), count) * weight[..., None]
        sums = member.mT @ colors
        size = member.sum(1)[..., None]
        centres = torch.where(size > 1e-3, sums / size.clamp_min(1e-3), centres)
    return centres


def labels(lab: Tensor, colors: Tensor) -> Tensor:
    """Return the index (N, H, W) of the nearest of ``colors`` (N, K, 3) for (N, 3, H, W)."""
    return _nearest(lab.flatten(2).mT, colors).reshape(len(lab), *lab.shape[2:])


def painted(index: Tensor, colors: Tensor) -> Tensor:
    """Paint indices (N, H, W) with ``colors`` (N, K, 3): (N, 3, H, W)."""
    flat = index.flatten(1)[..., None].expand(-1, -1, 3)
    return colors.gather(1, flat).mT.reshape(len(index), 3, *index.shape[1:])


def _apart(colors: Tensor, weight: Tensor, count: int) -> Tensor:
    mean = (colors * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
    near = (colors - mean[:, None]).square().sum(2)
    centres: list[Tensor] = []
    for number in range(count):
        # the first is the most usual colour, the others the farthest from those before
        worth = near * (weight > 1e-3)
        place = (-near).argmax(1) if number == 0 else worth.argmax(1)
        centre = colors.gather(1, place[:, None, None].expand(-1, 1, 3))
        apart = (colors - centre).square().sum(2)
        near = apart if number == 0 else torch.minimum(near, apart)
        centres.append(centre)
    return torch.cat(centres, 1)


def _nearest(colors: Tensor, centres: Tensor) -> Tensor:
    # expanded squares, because a difference of all pairs would take K times the memory
    apart = centres.square().sum(2)[:, None] - 2 * colors @ centres.mT
    return apart.argmin(2)
