"""What cameras and networks do to a photo: light, colour, focus, noise, compression, things before
the lens.

Networks that learn from clean or rendered photos meet all of these later (domain randomisation,
Tobin et al. 2017, https://arxiv.org/abs/1703.06907).  The ranges are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import pad

from ganzoo.interfaces import Transform

Rng = torch.Generator | None

#: JPEG's tables of brightness and colour (ITU-T T.81, annex K), each by rows
# fmt: off
_BRIGHTNESS = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
_COLOUR = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)
# fmt: on
_BLOCK = 8
_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


class Camera(Transform):
    """Take photos as other cameras would: light, colour, focus, noise, JPEG, something in the way.

    Every sample draws its own numbers, on the CPU, so that one seed means one photo on every
    device.  Colours stay in [-1, 1].

    Args:
        strength: How far each range is used; at 0 nothing changes.
    """

    def __init__(self, strength: Annotated[float, Interval(ge=0, le=1)] = 1.0):
        self.strength = strength

    def __call__(self, image: Tensor, rng: Rng = None) -> Tensor:
        """Return (N, 3, H, W) in [-1, 1] as photos; the numbers come from ``rng`` or torch's."""
        if not self.strength:
            return image
        light = (image.float() + 1) / 2
        for step in _STEPS:
            light = step(light, self.strength, rng)
        return (light.clamp(0, 1) * 2 - 1).to(image.dtype)


def occlude(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Put an ellipse of one colour over the border of three photos in ten."""
    n, _, height, width = light.shape
    way = _uniform(light, 0, 2 * math.pi, rng)
    x, y = _grid(height, width, light)
    radius = _uniform(light, 0.1, 0.1 + 0.35 * strength, rng)
    stretch = _uniform(light, 0.5, 2, rng)
    far = ((x - 1.1 * way.cos()) * stretch).square() + ((y - 1.1 * way.sin()) / stretch).square()
    inside = ((radius - far.sqrt()) * 20).sigmoid()
    chance = _chance(light, 0.3 * strength, rng)
    colour = torch.rand(n, 3, 1, 1, generator=rng).to(light.device)
    return light + (colour - light) * inside * chance


def shade(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Make one side lighter than the other, in any direction."""
    way = _uniform(light, 0, 2 * math.pi, rng)
    height, width = light.shape[-2:]
    x, y = _grid(height, width, light)
    return light * (1 + _uniform(light, 0, 0.4 * strength, rng) * (x * way.cos() + y * way.sin()))


def tone(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Vary white balance, gamma, contrast and saturation."""
    gains = torch.empty(len(light), 3, 1, 1).uniform_(-0.16, 0.16, generator=rng) * strength
    light = light * gains.exp().to(light.device)
    light = light.clamp(1e-3, 1) ** (_uniform(light, -0.45, 0.45, rng) * strength).exp()
    middle = light.mean(dim=(1, 2, 3), keepdim=True)
    light = middle + (light - middle) * (1 + _uniform(light, -0.35, 0.35, rng) * strength)
    grey = light.mean(dim=1, keepdim=True)
    return grey + (light - grey) * (1 + _uniform(light, -0.5, 0.4, rng) * strength)


def defocus(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Blur six photos in ten by up to 1.4 % of their height, as poor lenses and few pixels do."""
    chance = _chance(light, 0.6, rng)
    sigma = _uniform(light, 0, 0.014, rng) * chance * strength * light.shape[-2]
    rows, columns = (_spread(side, sigma) for side in light.shape[-2:])
    return rows @ light @ columns.mT


def grain(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Add noise of brightness and of colour."""
    n, _, height, width = light.shape
    noise = torch.randn(n, 4, height, width, generator=rng).to(light.device)
    sigma = _uniform(light, 0, 0.04 * strength, rng) * _chance(light, 0.6, rng)
    return light + sigma * (noise[:, :1] + 0.5 * noise[:, 1:])


def compress(light: Tensor, strength: float, rng: Rng) -> Tensor:
    """Compress six photos in ten as JPEG of quality 95 down to 30 does, without its subsampling.

    Gradients pass the rounding as if it were not there.
    """
    height, width = light.shape[-2:]
    chance = _chance(light, 0.6, rng)
    quality = 95 - _uniform(light, 0, 65 * strength, rng)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    wide = pad(light, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    down, across = (side // _BLOCK for side in wide.shape[-2:])
    tables = torch.tensor([_BRIGHTNESS, _COLOUR, _COLOUR], device=light.device).float()
    steps = tables.view(3, _BLOCK, _BLOCK).tile(1, down, across)
    steps = (steps * scale).round().clamp(1, 255) / 255
    rows, columns = (torch.block_diag(*[_cosines(light.device)] * n) for n in (down, across))
    matrix = torch.tensor(_TO_YCBCR, device=light.device)
    waves = rows @ _mixed(matrix, wide - 128 / 255) @ columns.mT / steps
    waves = (waves + (waves.round() - waves).detach()) * steps
    image = _mixed(matrix.inverse(), rows.mT @ waves @ columns) + 128 / 255
    return light + (image[..., :height, :width] - light) * chance


_STEPS: tuple[Callable[[Tensor, float, Rng], Tensor], ...] = (
    occlude,
    shade,
    tone,
    defocus,
    grain,
    compress,
)


def _uniform(light: Tensor, low: float, high: float, rng: Rng) -> Tensor:
    """Draw one number for each sample, (N, 1, 1, 1)."""
    return torch.empty(len(light), 1, 1, 1).uniform_(low, high, generator=rng).to(light.device)


def _chance(light: Tensor, share: float, rng: Rng) -> Tensor:
    """Draw 1 for so large a share of the samples and 0 for the others, (N, 1, 1, 1)."""
    return (_uniform(light, 0, 1, rng) < share).float()


def _grid(height: int, width: int, light: Tensor) -> tuple[Tensor, Tensor]:
    """Return x (1, W) and y (H, 1) in [-1, 1]."""
    x, y = (torch.linspace(-1, 1, side, device=light.device) for side in (width, height))
    return x[None], y[:, None]


def _mixed(matrix: Tensor, image: Tensor) -> Tensor:
    """Multiply the channels of (N, 3, H, W) by a matrix (3, 3)."""
    return (matrix @ image.flatten(2)).view_as(image)


def _spread(side: int, sigma: Tensor) -> Tensor:
    """Return the Gaussian weights (N, 1, side, side) of old pixels in new ones."""
    place = torch.arange(side, device=sigma.device)
    far = (place[:, None] - place).square()
    weights = (-far / (2 * sigma.square() + 1e-4)).exp()
    return weights / weights.sum(dim=-1, keepdim=True)


def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal matrix (8, 8) of the discrete cosine transform."""
    k, place = torch.arange(_BLOCK, device=device)[:, None], torch.arange(_BLOCK, device=device)
    matrix = (math.pi / _BLOCK * (place + 0.5) * k).cos() * math.sqrt(2 / _BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix
