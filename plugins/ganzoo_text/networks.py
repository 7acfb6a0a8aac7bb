"""Generative adversarial text to image synthesis: Reed et al. 2016.

https://arxiv.org/abs/1605.05396, and the authors' code (reedscot/icml2016).  The word ``meaning``
is a text's code.  G squeezes it and puts it beside the latent; D squeezes it, tiles it over its
last map, and judges image and text together.  Both have the authors' bottlenecks with a shortcut.

The critic is matching-aware (GAN-CLS, algorithm 1) if it also rejects real images with wrong texts,
and G also learns from texts halfway between two (GAN-INT, section 4.3).  Both are in the recipe: a
view applies D to ``real`` with the code of ``other_text``, another applies G to mixed codes.

Departures: sizes other than 64 px, nearest upsampling as an option, and D without batch norm as an
option, since R1 wants the images of a batch apart.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganzoo.interfaces import Discriminator, Generator

SLOPE = 0.2


class TextGenerator(Generator):
    """A 4x4 map of latent and text, doubled up to ``size``; tanh.

    Args:
        size: side of the images in pixels; by default the dataset's.
        latent: length of the latent, which is standard normal.
        meaning: length of a text's code (the authors: 1024).
        squeezed: length of what is put beside the latent.
        width: channels of the largest map; twice as many at each halving (the authors: 128).
        upsample: ``transposed`` convolutions, or ``nearest`` upsampling before 3x3 convolutions.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        latent: Annotated[int, Ge(1)] = 100,
        meaning: Annotated[int, Ge(1)] = 128,
        squeezed: Annotated[int, Ge(1)] = 128,
        width: Annotated[int, Ge(1)] = 128,
        upsample: Literal["transposed", "nearest"] = "transposed",
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        self.text = nn.Sequential(nn.Linear(meaning, squeezed), nn.LeakyReLU(SLOPE))
        widths = [width * 2**i for i in reversed(range(int(math.log2(size // 4))))]
        first, second, *_ = widths
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent + squeezed, 1, 1)),
            nn.ConvTranspose2d(latent + squeezed, first, 4, bias=False),
            nn.BatchNorm2d(first),
            Bottleneck(first, first // 4, nn.ReLU()),
            *_doubled(first, second, upsample),
            nn.BatchNorm2d(second),
            Bottleneck(second, second // 4, nn.ReLU()),
        ]
        for before, after in pairwise(widths[1:]):
            layers += [*_doubled(before, after, upsample), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [*_doubled(widths[-1], 3, upsample), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor, meaning: Tensor) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] of latents (N, latent) and codes (N, meaning)."""
        return self.layers(torch.cat([latent, self.text(meaning)], dim=1))


class TextDiscriminator(Discriminator):
    """Strided convolutions down to 4x4, joined there by the text; one logit.

    Args:
        size: side of the images in pixels; by default the dataset's.
        meaning: length of a text's code (the authors: 1024).
        squeezed: channels of the text at each of the 4x4 places.
        width: channels of the largest map; twice as many at each halving.
        norm: ``batch`` normalisation after all but the first and last layer, or ``none``, which
            keeps the images of a batch apart, as gradient penalties require.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        meaning: Annotated[int, Ge(1)] = 128,
        squeezed: Annotated[int, Ge(1)] = 128,
        width: Annotated[int, Ge(1)] = 64,
        norm: Literal["batch", "none"] = "batch",
    ):
        super().__init__()
        widths = [width * 2**i for i in range(int(math.log2(size // 4)))]
        last, bias = widths[-1], norm == "none"
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=bias), *_norm(norm, after)]
            layers += [nn.LeakyReLU(SLOPE)] if after < last else []
        self.image = nn.Sequential(*layers, Bottleneck(last, last // 4, nn.LeakyReLU(SLOPE), norm))
        squeeze: list[nn.Module] = [nn.Linear(meaning, squeezed)]
        squeeze += [nn.BatchNorm1d(squeezed)] if norm == "batch" else []
        self.text = nn.Sequential(*squeeze, nn.LeakyReLU(SLOPE))
        self.both = nn.Sequential(
            nn.Conv2d(last + squeezed, last, 1, bias=bias),
            *_norm(norm, last),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(last, 1, 4, bias=False),
        )
        self.apply(_initialise)

    def forward(self, image: Tensor, meaning: Tensor) -> Tensor:
        """Raw logits (N,) of images (N, 3, size, size) with codes (N, meaning)."""
        features = self.image(image)
        text = self.text(meaning)[:, :, None, None].expand(-1, -1, *features.shape[2:])
        return self.both(torch.cat([features, text], dim=1)).flatten()


class Bottleneck(nn.Module):
    """A 1x1 layer to fewer channels, two of 3x3 back to all, and a shortcut (the authors')."""

    def __init__(self, channels: int, fewer: int, activation: nn.Module, norm: str = "batch"):
        super().__init__()
        bias = norm == "none"
        self.layers = nn.Sequential(
            nn.Conv2d(channels, fewer, 1, bias=bias),
            *_norm(norm, fewer),
            activation,
            nn.Conv2d(fewer, fewer, 3, padding=1, bias=bias),
            *_norm(norm, fewer),
            activation,
            nn.Conv2d(fewer, channels, 3, padding=1, bias=bias),
            *_norm(norm, channels),
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        result: Tensor = self.activation(x + self.layers(x))
        return result


def _doubled(before: int, after: int, upsample: str) -> list[nn.Module]:
    if upsample == "nearest":
        return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1, bias=False)]
    return [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]


def _norm(norm: str, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if norm == "batch" else []


def _initialise(module: nn.Module) -> None:
    """Initialise as the authors do: convolutions N(0, 0.02), gains N(1, 0.02), biases 0."""
    if isinstance(module, nn.Linear):  # torch's default
        return
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(bias)
