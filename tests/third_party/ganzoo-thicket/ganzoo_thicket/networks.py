"""Two small convolutional networks, of any size; after Radford 2015 (DCGAN), as all are."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from ganzoo.interfaces import Discriminator, Generator

SEED = 4  # side of the map that a latent becomes


class Sprout(Generator):
    """A map of 4x4 from the latent, enlarged and then convolved twice.

    Args:
        size: side of the images in pixels; the dataset's when left out.
        latent: length of the latent.
        width: channels of the maps.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(4)],
        latent: Annotated[int, Ge(1)] = 8,
        width: Annotated[int, Ge(1)] = 8,
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        self.root = nn.Linear(latent, width * SEED * SEED)
        self.stem = nn.Conv2d(width, width, 3, padding=1)
        self.leaves = nn.Conv2d(width, 3, 3, padding=1)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] from latents (N, latent)."""
        ground = self.root(latent).unflatten(1, (-1, SEED, SEED))
        grown = leaky_relu(self.stem(interpolate(ground, self.size)), 0.2)
        return torch.tanh(self.leaves(grown))


class Forester(Discriminator):
    """Two convolutions; the mean of the second's map is the logit.

    Args:
        width: channels of the map between them.
    """

    def __init__(self, width: Annotated[int, Ge(1)] = 16):
        super().__init__()
        self.eyes = nn.Conv2d(3, width, 4, stride=2, padding=1)
        self.verdict = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Raw logits (N,) of images (N, 3, H, W)."""
        seen = leaky_relu(self.eyes(image), 0.2)
        verdict: Tensor = self.verdict(seen)
        return verdict.mean(dim=(1, 2, 3))
