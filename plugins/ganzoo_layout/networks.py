"""AL-CGAN: Karacan, Akata, Erdem and Erdem 2016, https://arxiv.org/abs/1612.00215.

A generator draws a scene from noise, a semantic layout and attributes; a critic judges an image
together with its layout and attributes.

From the paper: these three inputs, nine layers of convolutions and up-sampling with batch norm in
G, and a Siamese critic, with one branch for the image and one for the conditions, that are joined
before the decision.  The widths of its layers could not be read, so these are ours:

- G begins with noise and attributes at 4x4.  At every side the layout is concatenated, as the share
  of each part in each cell; there are two convolutions at each of 8 to half the image's side, one
  at its side, and the one that makes the image: nine layers at 64 px;
- the branches of D are four convolutions without norm, three of them strided; attributes join them
  at an eighth of the side, where two more convolutions decide;
- attributes are classes, each with a vector of its own (in the paper: 40 degrees in [0, 1]).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo import layouts
from ganzoo.errors import RunError
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.labels import LabelEmbedding, embed, with_label

LABEL_DIM = 16
SLOPE = 0.2


class ALCGANGenerator(Generator):
    """Noise and labels at 4x4, and the layout at every side up to the image.

    Args:
        size: side of the images in pixels; by default the dataset's.
        palette: part -> its colour in layouts; by default the dataset's.
        width: channels at the image's side, doubled at each halving, up to 8 times as many.
        latent: length of the latent (the paper: 100).
        label: attribute -> its values; by default the dataset's, null for a layout alone.
    """

    conditions: ClassVar[tuple[str, ...]] = ("layout",)

    def __init__(
        self,
        size: Literal[32, 64, 128, 256],
        palette: dict[str, str],
        width: Annotated[int, Ge(1)] = 64,
        latent: Annotated[int, Ge(1)] = 100,
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        self.size = size
        self.palette = palette
        self.latent = latent
        self.label = label
        self.embedding = LabelEmbedding(label, LABEL_DIM, 1.0) if label is not None else None
        widths = [width * min(8, 2**i) for i in range(int(math.log2(size // 4)) + 1)][::-1]
        inputs = latent + (LABEL_DIM * len(label) if label else 0)
        self.first = nn.Sequential(
            nn.Linear(inputs, widths[0] * 16, bias=False),
            nn.Unflatten(1, (widths[0], 4, 4)),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        parts, last = len(palette), len(widths) - 2
        self.stages = nn.ModuleList(
            nn.Sequential(
                *_layer(before + parts, after), *(_layer(after, after) if i < last else ())
            )
            for i, (before, after) in enumerate(pairwise(widths))
        )
        self.image = nn.Sequential(nn.Conv2d(width + parts, 3, 3, 1, 1), nn.Tanh())
        self.apply(_initialise)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def read_condition(self, word: str, value: Any) -> Tensor:
        """Read a layout, int64 (1, 1, size, size), from a picture in the palette's colours."""
        if value is None:
            raise RunError(
                "this model draws what a layout shows: give it one, --layout FILE.png, painted in "
                "the colours that `ganzoo show MODEL` lists."
            )
        assert self.size is not None  # the constructor sets it
        return layouts.read(value, self.palette, self.size)

    def show_condition(self, word: str, value: Tensor) -> Tensor:
        """Draw layouts in the colours of the palette."""
        return layouts.draw(value, self.palette)

    def forward(self, latent: Tensor, layout: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1].

        They show layouts int64 (N, 1, S, S), with latents (N, latent) and labels int64 (N, A).
        Raises ValueError if a label is missing, or a generator without gets one.
        """
        features = self.first(with_label(latent, self.embedding, label))
        numbers = layouts.resized(layout, self.size or layout.shape[-1])
        parts = layouts.one_hot(numbers, len(self.palette)).to(features)
        for stage in self.stages:
            features = interpolate(features, scale_factor=2, mode="nearest")
            shares = layouts.reduced(parts, features.shape[-1])
            features = stage(torch.cat([features, shares], dim=1))
        return self.image(torch.cat([features, parts], dim=1))


class ALCGANDiscriminator(Discriminator):
    """One branch for the image and one for the layout, joined with the labels at an eighth of it.

    Args:
        size: side of the images in pixels; by default the dataset's.
        palette: part -> its colour in layouts; by default the dataset's.
        width: channels after the first layer of each branch.
        label: attribute -> its values; by default the dataset's, null for a layout alone.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128, 256],
        palette: dict[str, str],
        width: Annotated[int, Ge(1)] = 64,
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        self.parts = len(palette)
        self.embedding = LabelEmbedding(label, LABEL_DIM, 1.0) if label is not None else None
        more = LABEL_DIM * len(label) if label else 0
        self.image = _branch(3, width)
        self.layout = _branch(self.parts, width)
        self.both = nn.Sequential(
            nn.Conv2d(8 * width + more, 8 * width, 4, 2, 1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(8 * width, 1, min(4, size // 16)),
        )
        self.apply(_initialise)

    def forward(self, image: Tensor, layout: Tensor, label: Tensor | None = None) -> Tensor:
        """Raw logits (N, 1, h, w) of images (N, 3, H, W), layouts (N, 1, H, W), labels (N, A).

        Raises ValueError if a label is missing, or a critic without gets one.
        """
        numbers = layouts.resized(layout, image.shape[-1])
        parts = layouts.one_hot(numbers, self.parts).to(image)
        both = [self.image(image), self.layout(parts)]
        vectors = embed(self.embedding, label)
        if vectors is not None:
            flat = vectors.flatten(1)[:, :, None, None]
            both.append(flat.expand(-1, -1, *both[0].shape[2:]).to(both[0]))
        return self.both(torch.cat(both, dim=1))


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _branch(inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after, stride in (
        (inputs, width, 2),
        (width, 2 * width, 2),
        (2 * width, 4 * width, 2),
        (4 * width, 4 * width, 1),
    ):
        kernel = 4 if stride == 2 else 3
        layers += [
            nn.Conv2d(before, after, kernel, stride, 1),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    """N(0, 0.02) and gains N(1, 0.02), as DCGAN has them."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
