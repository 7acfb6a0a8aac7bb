"""The generator: noise is upsampled to an image, and every convolution adds detail.

Paper    yours goes here: authors, year, title, section, https://arxiv.org/abs/...  As it stands
         it is the generator of DCGAN (Radford, Metz and Chintala 2015,
         https://arxiv.org/abs/1511.06434), with upsampling in the place of transposed convolutions
         (Odena, Dumoulin and Olah 2016, doi 10.23915/distill.00003).
Shapes   latents (N, latent) to images (N, 3, size, size) in [-1, 1].
Change   what lies between the two.  A constructor argument becomes an argument in recipes as soon
         as it has a type and a line under ``Args:``.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from ganzoo.interfaces import Generator
from torch import Tensor, nn


class Upsampler(Generator):
    """A 4x4 map of the latent, doubled up to ``size`` with a convolution after each doubling.

    Args:
        size: side of the images in pixels; by default the dataset's.
        latent: length of the latent.
        width: channels at full size; twice as many at each halving.
    """

    def __init__(
        self,
        size: Literal[16, 32, 64, 128],
        latent: Annotated[int, Ge(1)] = 64,
        width: Annotated[int, Ge(1)] = 12,
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        channels = width * size // 4
        layers: list[nn.Module] = [
            nn.Linear(latent, channels * 4 * 4, bias=False),
            nn.Unflatten(1, (channels, 4, 4)),
            *_activated(channels),
        ]
        for _ in range(int(math.log2(size // 4))):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False),
                *_activated(channels // 2),
            ]
            channels //= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal distribution."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] from latents (N, latent)."""
        image: Tensor = self.layers(latent)
        return image


def _activated(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()]
