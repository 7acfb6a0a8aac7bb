"""What the drawings share: colour spaces, blurs, and one number format."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganzoo.interfaces import Generator

#: linear sRGB to CIE XYZ: IEC 61966-2-1; rows X, Y, Z
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
#: of the white point D65
_WHITE = (0.9505, 1.0, 1.089)
#: CIELAB is linear below this share of white
_DARK = (6 / 29) ** 3


class Drawing(Generator):
    """A generator without parameters; an empty buffer remembers its device."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("place", torch.empty(0), persistent=False)


def in_float32(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make ``forward`` compute in float32, since thresholds need the precision."""

    @functools.wraps(forward)
    def exact(self: Drawing, photo: Tensor, *others: Any, **keywords: Any) -> Tensor:
        images = [other.float() if isinstance(other, Tensor) else other for other in others]
        words = {k: v.float() if isinstance(v, Tensor) else v for k, v in keywords.items()}
        # torch.export has no nested ones
        is_export = torch.compiler.is_exporting()
        with nullcontext() if is_export else torch.autocast(photo.device.type, enabled=False):
            return forward(self, photo.float(), *images, **words).to(photo.dtype)

    return exact


def to_unit(image: Tensor) -> Tensor:
    """Convert [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def from_unit(image: Tensor) -> Tensor:
    """Convert [0, 1] to [-1, 1], clipping what lies outside."""
    return image.clamp(0, 1) * 2 - 1


def to_linear(rgb: Tensor) -> Tensor:
    """Convert sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def from_linear(light: Tensor) -> Tensor:
    """Convert linear light to sRGB in [0, 1]."""
    light = light.clamp(0, 1)
    bright = 1.055 * light.clamp_min(1e-8) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, bright)


def to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (N, 3, H, W) in [0, 1] to CIELAB: L in [0, 100], a and b about ±100."""
    xyz = _mix(to_linear(rgb), torch.tensor(_XYZ) / torch.tensor(_WHITE)[:, None])
    root = xyz.clamp_min(_DARK) ** (1 / 3)
    f = torch.where(xyz > _DARK, root, xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.split(1, 1)
    return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """Convert CIELAB (N, 3, H, W) to sRGB, clipped to [0, 1]."""
    light, a, b = lab.split(1, 1)
    y = (light + 16) / 116
    f = torch.cat([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    matrix = torch.linalg.inv(torch.tensor(_XYZ, dtype=torch.float64))
    return from_linear(_mix(xyz, (matrix * torch.tensor(_WHITE, dtype=torch.float64)).float()))


def _mix(image: Tensor, matrix: Tensor) -> Tensor:
    return conv2d(image, matrix.to(image)[:, :, None, None])


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur (N, C, H, W) with a Gaussian of ``sigma`` pixels; border pixels are repeated."""
    reach = max(1, math.ceil(3 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    planes = image.flatten(0, 1)[:, None]
    planes = conv2d(pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel)
    planes = conv2d(pad(planes, (0, 0, reach, reach), mode="replicate"), kernel.mT)
    return planes.reshape(image.shape)


def gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return Sobel's change per pixel of (N, C, H, W), to the right and down."""
    x = pad(image, (1, 1, 1, 1), mode="replicate")
    across = x[..., 2:] - x[..., :-2]
    down = x[..., 2:, :] - x[..., :-2, :]
    right = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 8
    below = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 8
    return right, below
