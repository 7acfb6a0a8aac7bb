"""Adversarially Learned Inference: Dumoulin et al. 2016, https://arxiv.org/abs/1606.00704.

An encoder maps images to codes, a generator codes to images, and D tells pairs (image, its code)
from pairs (image made, latent).  Where D cannot, each is the other's inverse in distribution.
Reconstructions are alike in meaning, not in pixels: that is the method.

The networks are those of the paper's tables for CIFAR-10 (32 px) and CelebA (64 px), whose
convolutions have no padding; slopes and dropout are from the authors' code (IshmaelBelghazi/ALI).

Departures from the paper:

- G ends in a tanh, since ganzoo's images are in [-1, 1];
- G's last bias, one for each pixel, begins at 0 rather than at the log-odds of the mean training
  image, which a constructor does not see;
- ``log_sigma`` is clamped to [-8, 4];
- D judges the two kinds of pairs one after the other, so its batch normalisation sees them apart
  (the authors: together); ``norm: none`` leaves it out;
- at 32 px D has leaky rectifiers in the place of maxout units;
- the layers before the rectifiers have weights of He's variance where there is no batch norm after
  them (the authors: N(0, 0.01) everywhere).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo.interfaces import Discriminator, Encoder, Generator, Loss

STD = 0.01
LOG_SIGMA = (-8.0, 4.0)


#: widths of D's two layers of the code, and of its two of image and code together
CODE, PAIR = 16, 32


class Layer(NamedTuple):
    """A convolution of the paper's tables; ``channels`` as a multiple of the table's ``width``."""

    kernel: int
    stride: int
    channels: int


class Table(NamedTuple):
    """The paper's networks for one size of images.

    ``down`` leads from the image to 1x1, in the encoder and in D; ``middle`` comes after it in the
    encoder, and ``up`` is the generator's way back.
    """

    width: int
    slope: float
    down: tuple[Layer, ...]
    middle: tuple[Layer, ...]
    up: tuple[Layer, ...]


TABLES = {
    32: Table(
        width=32,
        slope=0.1,
        down=(Layer(5, 1, 1), Layer(4, 2, 2), Layer(4, 1, 4), Layer(4, 2, 8), Layer(4, 1, 16)),
        middle=(Layer(1, 1, 16),),
        up=(
            Layer(4, 1, 8),
            Layer(4, 2, 4),
            Layer(4, 1, 2),
            Layer(4, 2, 1),
            Layer(5, 1, 1),
            Layer(1, 1, 1),
        ),
    ),
    64: Table(
        width=64,
        slope=0.02,
        down=(Layer(2, 1, 1), Layer(7, 2, 2), Layer(5, 2, 4), Layer(7, 2, 4), Layer(4, 1, 8)),
        middle=(),
        up=(Layer(4, 1, 8), Layer(7, 2, 4), Layer(5, 2, 4), Layer(7, 2, 2), Layer(2, 1, 1)),
    ),
}


class ALIEncoder(Encoder):
    """Convolutions down to the mean and the logarithm of the deviation of a normal code.

    In training it draws a code, as the paper does; in eval mode it gives the mean.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels of the layer next to the image, from which the others follow in the paper's
            proportions; by default the paper's, 32 at 32 px and 64 at 64 px.
        latent: length of the code (the paper: 64 at 32 px, 256 at 64 px).
    """

    def __init__(
        self,
        size: Literal[32, 64],
        width: Annotated[int, Ge(1)] | None = None,
        latent: Annotated[int, Ge(1)] = 64,
    ):
        super().__init__()
        table = TABLES[size]
        width = table.width if width is None else width
        layers, channels = _rows(3, (*table.down, *table.middle), width, table.slope)
        self.layers = nn.Sequential(*layers)
        self.head = _drawn(nn.Conv2d(channels, 2 * latent, 1), STD)

    def forward(self, image: Tensor) -> Tensor:
        """Codes (N, latent) of images (N, 3, size, size)."""
        mean, log_sigma = self.distribution(image)
        if not self.training:
            return mean
        noise = torch.randn(mean.shape, dtype=mean.dtype)  # on the CPU, alike for every device
        return mean + log_sigma.exp() * noise.to(mean.device, non_blocking=mean.is_cuda)

    def distribution(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the deviation of the codes, each (N, latent)."""
        mean, log_sigma = self.head(self.layers(image)).flatten(1).chunk(2, dim=1)
        return mean, log_sigma.clamp(*LOG_SIGMA)


class ALIGenerator(Generator):
    """Transposed convolutions from 1x1 to the image, a bias for every pixel, and a tanh.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels of the layer next to the image, from which the others follow in the paper's
            proportions; by default the paper's, 32 at 32 px and 64 at 64 px.
        latent: length of the latent (the paper: 64 at 32 px, 256 at 64 px).
    """

    def __init__(
        self,
        size: Literal[32, 64],
        width: Annotated[int, Ge(1)] | None = None,
        latent: Annotated[int, Ge(1)] = 64,
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        table = TABLES[size]
        width = table.width if width is None else width
        layers, channels = _rows(latent, table.up, width, table.slope, is_transpose=True)
        self.layers = nn.Sequential(*layers)
        self.pixels = _drawn(nn.Conv2d(channels, 3, 1, bias=False), STD)
        self.bias = nn.Parameter(torch.zeros(3, size, size))

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] from latents (N, latent)."""
        return (self.pixels(self.layers(latent[:, :, None, None])) + self.bias).tanh()


class ALIDiscriminator(Discriminator):
    """Judges an image together with a code; one logit.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels of the layer next to the image, from which the others follow in the paper's
            proportions; by default the paper's, 32 at 32 px and 64 at 64 px.
        latent: length of the codes.
        norm: ``batch`` normalisation in the layers of the image, but the first, or ``none``.
        dropout: share of the inputs of every layer that is dropped (the paper: 0.2).
    """

    def __init__(
        self,
        size: Literal[32, 64],
        width: Annotated[int, Ge(1)] | None = None,
        latent: Annotated[int, Ge(1)] = 64,
        norm: Literal["batch", "none"] = "batch",
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.2,
    ):
        super().__init__()
        table = TABLES[size]
        width = table.width if width is None else width
        first, channels = _rows(3, table.down[:1], width, table.slope, norm="none", dropout=dropout)
        others, channels = _rows(
            channels, table.down[1:], width, table.slope, norm=norm, dropout=dropout
        )
        self.image = nn.Sequential(*first, *others)
        codes = (Layer(1, 1, CODE),) * 2
        layers, more = _rows(latent, codes, width, table.slope, norm="none", dropout=dropout)
        self.code = nn.Sequential(*layers)
        pairs = (Layer(1, 1, PAIR),) * 2
        layers, last = _rows(
            channels + more, pairs, width, table.slope, norm="none", dropout=dropout
        )
        logit = _drawn(nn.Conv2d(last, 1, 1), STD)
        self.pair = nn.Sequential(*layers, nn.Dropout(dropout), logit)

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Raw logits (N,) of images (N, 3, size, size) with codes (N, latent)."""
        both = torch.cat([self.image(image), self.code(latent[:, :, None, None])], dim=1)
        return self.pair(both).flatten()


class ALI(Loss):
    """Cross-entropy of the two kinds of pairs; the other player's labels are swapped for both.

    ``real_logits`` are those of images with their codes, ``fake_logits`` of images made with their
    latents (Dumoulin 2016, section 2; the generator's form does not saturate).
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of softplus(-D(x, E(x))) plus mean of softplus(D(G(z), z))."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of softplus(D(x, E(x))) plus mean of softplus(-D(G(z), z))."""
        return softplus(real_logits).mean() + softplus(-fake_logits).mean()


def _rows(
    channels: int,
    rows: tuple[Layer, ...],
    width: int,
    slope: float,
    is_transpose: bool = False,
    norm: str = "batch",
    dropout: float = 0.0,
) -> tuple[list[nn.Module], int]:
    """Build rows of a table after ``channels`` inputs; return them, and their last channels."""
    layers: list[nn.Module] = []
    kind = nn.ConvTranspose2d if is_transpose else nn.Conv2d
    for row in rows:
        after = row.channels * width
        layers += [nn.Dropout(dropout)] if dropout else []
        convolution = kind(channels, after, row.kernel, row.stride, bias=norm == "none")
        he = math.sqrt(2 / (channels * row.kernel**2))
        layers += [_drawn(convolution, STD if norm == "batch" else he)]
        layers += [nn.BatchNorm2d(after)] if norm == "batch" else []
        layers += [nn.LeakyReLU(slope)]
        channels = after
    return layers, channels


def _drawn(layer: nn.Module, std: float) -> nn.Module:
    """Draw the weights from N(0, std), with biases 0."""
    nn.init.normal_(layer.weight, 0.0, std)  # type: ignore[arg-type]
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
