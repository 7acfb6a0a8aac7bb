"""Generative Adversarial Nets: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

Multilayer perceptrons: rectifiers in G, maxout units (Goodfellow et al. 2013,
https://arxiv.org/abs/1302.4389) with dropout in D (section 5).  Widths, latents and dropout are
from the authors' code (goodfeli/adversarial) for handwritten digits.

Use it with the loss ``non-saturating``.  The only departure from the paper: G ends in a tanh rather
than a sigmoid, since ganzoo's images are in [-1, 1].
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from ganzoo.interfaces import Discriminator, Generator


class GANGenerator(Generator):
    """Uniform noise through layers of rectifiers to all pixels at once.

    Args:
        size: side of the images in pixels; by default the dataset's.
        latent: length of the latent.
        hidden: units of each hidden layer.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(1)],
        latent: Annotated[int, Ge(1)] = 100,
        hidden: list[Annotated[int, Ge(1)]] = [1200, 1200],  # noqa: B006
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([latent, *hidden]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        pixels = nn.Linear([latent, *hidden][-1], 3 * size * size)
        self.layers = nn.Sequential(*layers, pixels, nn.Tanh())

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) uniformly, with variance 1."""
        return (2 * torch.rand(n, self.latent, generator=rng) - 1) * math.sqrt(3)

    def forward(self, latent: Tensor) -> Tensor:
        """Return images (N, 3, size, size) in [-1, 1] from latents (N, latent)."""
        assert self.size is not None
        return self.layers(latent).unflatten(1, (3, self.size, self.size))


class GANDiscriminator(Discriminator):
    """Layers of maxout units with dropout; one logit.

    Args:
        size: side of the images in pixels; by default the dataset's.
        hidden: maxout units of each hidden layer.
        pieces: linear functions whose largest is the unit's output.
        dropout: share of every layer's inputs that is dropped; of the pixels, a fifth.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(1)],
        hidden: list[Annotated[int, Ge(1)]] = [240, 240],  # noqa: B006
        pieces: Annotated[int, Ge(1)] = 5,
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.5,
    ):
        super().__init__()
        widths = [3 * size * size, *hidden]
        layers: list[nn.Module] = [nn.Flatten(), nn.Dropout(min(dropout, 0.2))]
        for inputs, outputs in pairwise(widths):
            layers += [Maxout(inputs, outputs, pieces), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return raw logits (N,) of images (N, 3, size, size)."""
        return self.layers(image).squeeze(1)


class Maxout(nn.Module):
    """The largest of ``pieces`` linear functions, for each unit."""

    def __init__(self, inputs: int, outputs: int, pieces: int):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs)."""
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)
