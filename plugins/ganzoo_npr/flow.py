"""Filters that follow the picture's own directions.

Kyprianidis and Döllner 2008, Image abstraction by structure adaptive filtering,
https://doi.org/10.2312/LocalChapterEvents/TPCG/TPCG08/051-058.  The constants are the defaults of
Kyprianidis' program.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from ganzoo_npr._pictures import blur, gradient

#: deviations, in pixels, of the structure tensor and of the lines along their direction
TENSOR, ALONG = 2.0, 3.0
#: the wider Gaussian of the lines over the narrower one, and how much of it is subtracted
WIDER, TAU = 1.6, 0.99
#: how dark the lines are
INK = 2.0


def tangents(rgb: Tensor) -> Tensor:
    """Return the unit direction (N, 2, H, W), x and y, of least change of (N, 3, H, W)."""
    right, down = gradient(rgb)
    tensor = torch.cat([right * right, right * down, down * down], 0).sum(1, keepdim=True)
    xx, xy, yy = blur(tensor, TENSOR).chunk(3)
    root = torch.sqrt((xx - yy).square() + 4 * xy.square())
    strong = (xx + yy + root) / 2  # the larger eigenvalue
    vectors = torch.cat([strong - xx, -xy], 1)
    # an edge that runs straight down has no first component
    flat = torch.cat([-xy, strong - yy], 1)
    along = torch.where((xx > yy), flat, vectors)
    still = torch.tensor([0.0, 1.0]).to(rgb)[:, None, None].expand_as(along)
    return normalize(torch.where(along.square().sum(1, keepdim=True) > 1e-16, along, still), dim=1)


def bilateral(lab: Tensor, along: Tensor, spread: float, tolerance: float) -> Tensor:
    """Smooth (N, 3, H, W) across the picture's directions and then along them."""
    across = torch.cat([-along[:, 1:], along[:, :1]], 1)
    for direction in (across, along):
        total, weights = lab.clone(), torch.ones_like(lab[:, :1])
        for step in _steps(2 * spread):
            other = _shifted(lab, direction * step)
            apart = (other - lab).square().sum(1, keepdim=True)
            near = step**2 / (2 * spread**2)
            weight = torch.exp(-apart / (2 * tolerance**2) - near)
            total += other * weight
            weights += weight
        lab = total / weights
    return lab


def draw_lines(light: Tensor, along: Tensor, sigma: float) -> Tensor:
    """Return the tone of the lines of L (N, 1, H, W) in [0, 100]: 0 is ink, 1 is paper."""
    across = torch.cat([-along[:, 1:], along[:, :1]], 1)
    narrow, wide = light.clone(), light.clone()
    sums = [1.0, 1.0]
    for step in _steps(2 * WIDER * sigma):
        other = _shifted(light, across * step)
        weights = [math.exp(-(step**2) / (2 * s**2)) for s in (sigma, WIDER * sigma)]
        narrow += weights[0] * other
        wide += weights[1] * other
        sums = [total + weight for total, weight in zip(sums, weights, strict=True)]
    contrast = _along(narrow / sums[0] - TAU * wide / sums[1], along)
    t = ((INK * contrast + 2) / 4).clamp(0, 1)
    return torch.where(contrast > 0, 1.0, 2 * t * t * (3 - 2 * t))


def _along(field: Tensor, along: Tensor) -> Tensor:
    """Average a field (N, 1, H, W) along the lines of the directions."""
    total, weights = field.clone(), 1.0
    both = torch.cat([field, along], 1)
    for sign in (1.0, -1.0):
        place = direction = sign * along
        for step in range(1, round(2 * ALONG) + 1):
            here = _shifted(both, place)
            weight = math.exp(-(step**2) / (2 * ALONG**2))
            total = total + weight * here[:, :1]
            weights += weight
            new = here[:, 1:]
            same = (new * direction).sum(1, keepdim=True)  # a direction has no sign of its own
            direction = torch.where(same < 0, -new, new)
            place = place + direction
    return total / weights


def _steps(reach: float) -> list[int]:
    return [step for step in range(-round(reach), round(reach) + 1) if step]


def _shifted(image: Tensor, shift: Tensor) -> Tensor:
    """Sample (N, C, H, W) at each pixel's place plus ``shift`` (N, 2, H, W), in pixels."""
    height, width = image.shape[-2:]
    x = torch.arange(width, device=image.device).to(image) + 0.5
    y = torch.arange(height, device=image.device).to(image)[:, None] + 0.5
    places = torch.stack([(x + shift[:, 0]) * (2 / width), (y + shift[:, 1]) * (2 / height)], -1)
    return grid_sample(image, places - 1, padding_mode="border", align_corners=False)
