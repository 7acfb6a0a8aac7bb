"""The encoder: an image to the latent that the generator would draw it from.

Paper    yours goes here: authors, year, title, section, https://arxiv.org/abs/...  As it stands
         it halves the image with strided convolutions, as DCGAN's discriminator does (Radford, Metz
         and Chintala 2015, https://arxiv.org/abs/1511.06434), and ends in a code.
Shapes   images (N, 3, size, size) in [-1, 1] to codes (N, latent).
Change   what lies between the two.  In eval mode a code must follow from its image alone.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge
from ganzoo.interfaces import Encoder
from torch import Tensor, nn


class Downsampler(Encoder):
    """Strided convolutions down to 4x4, and a linear layer to the code.

    Args:
        size: side of the images in pixels; by default the dataset's.
        latent: length of the code, as of the generator's latent.
        width: channels after the first halving; twice as many after each further one.
    """

    def __init__(
        self,
        size: Literal[16, 32, 64, 128],
        latent: Annotated[int, Ge(1)] = 64,
        width: Annotated[int, Ge(1)] = 12,
    ):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        channels = width
        for _ in range(int(math.log2(size // 8))):
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2),
            ]
            channels *= 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 4 * 4, latent))

    def forward(self, image: Tensor) -> Tensor:
        """Codes (N, latent) of images (N, 3, size, size)."""
        code: Tensor = self.layers(image)
        return code
