"""A light FastGAN: Liu, Zhu, Song and Elgammal 2021, https://arxiv.org/abs/2101.04775.

From the paper: one convolution for each doubling, gated linear units and batch normalisation;
skip-layer excitation, by which the maps of 4x4 and 8x8 weigh the channels 16 times as large
(section 3.1); a residual discriminator of strided convolutions, whose 8x8 maps must suffice for
small decoders to draw the real image again (section 3.2).  Use it with ``hinge``, ``diffaugment``
and, for D, ``reconstruction``.

Departures from the paper and its code (odegeasslbc/FastGAN-pytorch):

- far fewer channels, halved at every doubling, to be affordable on a CPU;
- no noise on G's maps and no second image of 128 px, so that an image is a function of the latent;
- no spectral normalisation in G, whose batch normalisation cancels the scale anyway;
- reconstructions are compared by mean absolute difference, not by LPIPS, which needs downloaded
  weights; of the whole image and of one of its quarters, as in the paper.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import glu, interpolate, l1_loss, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.interfaces import Discriminator, Generator, Loss

SLOPE = 0.2
#: side of the maps that D's decoders read, and of their drawings
CODE, DRAWN = 8, 64


class FastGANGenerator(Generator):
    """Upsampling, convolution, gate; channels of large maps excited by small ones; tanh.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels of the largest maps, doubled at every halving down to 4x4.
        latent: length of the latent.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128, 256],
        width: Annotated[int, Ge(1)] = 8,
        latent: Annotated[int, Ge(1)] = 128,
    ):
        super().__init__()
        self.size = size
        self.latent = latent
        sides = [side for side in (4, 8, 16, 32, 64, 128, 256) if side <= size]
        channels = [width * size // side for side in sides]
        self.first = nn.Sequential(
            nn.ConvTranspose2d(latent, 2 * channels[0], 4, bias=False),
            nn.BatchNorm2d(2 * channels[0]),
            nn.GLU(1),
        )
        self.doublings = nn.ModuleList(Double(a, b) for a, b in pairwise(channels))
        self.excitations = nn.ModuleDict(
            {
                str(side): SkipLayerExcitation(width * 16 * size // side, width * size // side)
                for side in sides
                if side // 16 in (4, 8, 16)
            }
        )
        self.pixels = nn.Conv2d(channels[-1], 3, 3, 1, 1)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        """Return images (N, 3, size, size) in [-1, 1] from latents (N, latent)."""
        x = self.first(latent[:, :, None, None])
        small = {x.shape[2]: x}
        for double in self.doublings:
            x = double(x)
            side = x.shape[2]
            if str(side) in self.excitations:
                x = x * self.excitations[str(side)](small[side // 16])
            small[side] = x
        return self.pixels(x).tanh()


class FastGANDiscriminator(Discriminator):
    """Residual halvings with spectral and batch normalisation down to 8x8; 5x5 raw logits.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels after the first halving, doubled at every further one.
    """

    heads = ("reconstruct",)

    def __init__(self, size: Literal[32, 64, 128, 256], width: Annotated[int, Ge(1)] = 16):
        super().__init__()
        halvings = (size // CODE).bit_length() - 1
        channels = [width * 2**i for i in range(halvings)]
        self.first = nn.Sequential(_conv(3, width, 4, 2, 1), nn.LeakyReLU(SLOPE))
        self.halvings = nn.Sequential(*(Halve(a, b) for a, b in pairwise(channels)))
        last = channels[-1]
        self.judge = nn.Sequential(
            _conv(last, last, 1, 1, 0),
            nn.BatchNorm2d(last),
            nn.LeakyReLU(SLOPE),
            _conv(last, 1, 4, 1, 0),
        )
        self.whole, self.quarter = Decoder(last, width), Decoder(last, width)

    def forward(self, image: Tensor) -> Tensor:
        """Return raw logits (N, 25) of images (N, 3, size, size), one for each of 5x5 places."""
        return self.judge(self.halvings(self.first(image))).flatten(1)

    def reconstruct(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the image (N, 3, 64, 64) from its code, and its upper left quarter likewise."""
        code = self.halvings(self.first(image))
        half = CODE // 2
        return self.whole(code), self.quarter(interpolate(code[:, :, :half, :half], scale_factor=2))


class Reconstruction(Loss):
    """Mean absolute difference of real images, and their quarters, to D's drawings of them.

    It keeps D from judging by a few details alone (Liu 2021, section 3.2).  Needs a discriminator
    with a head ``reconstruct``.
    """

    def discriminator(self, real: Tensor, discriminator: FastGANDiscriminator) -> Tensor:
        """Compare the whole image, and its upper left quarter."""
        full, quarter = discriminator.reconstruct(real)
        half = real.shape[2] // 2
        return _distance(full, real) + _distance(quarter, real[:, :, :half, :half])


class Double(nn.Module):
    """Twice the sides: nearest neighbours, 3x3, batch normalisation, gate."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv = nn.Conv2d(before, 2 * after, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, 2H, 2W)."""
        return glu(self.norm(self.conv(interpolate(x, scale_factor=2))), 1)


class SkipLayerExcitation(nn.Module):
    """A weight in (0, 1) for each channel of a large map, from a small one (section 3.1, eq. 1)."""

    def __init__(self, small: int, large: int):
        super().__init__()
        self.squeeze = nn.Conv2d(small, large, 4)
        self.excite = nn.Conv2d(large, large, 1)

    def forward(self, small: Tensor) -> Tensor:
        """(N, small, h, w) to (N, large, 1, 1)."""
        # to 4x4; the sides are powers of two, and adaptive pooling is not deterministic on CUDA
        grid = nn.functional.avg_pool2d(small, small.shape[-1] // 4)
        return self.excite(leaky_relu(self.squeeze(grid), 0.1)).sigmoid()


class Halve(nn.Module):
    """Half the sides, by a strided and a plain convolution beside a mean and a 1x1 layer."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.main = nn.Sequential(
            _conv(before, after, 4, 2, 1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(SLOPE),
            _conv(after, after, 3, 1, 1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(SLOPE),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2),
            _conv(before, after, 1, 1, 0),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H/2, W/2)."""
        return (self.main(x) + self.direct(x)) / 2


class Decoder(nn.Sequential):
    """A code (N, C, 8, 8) to an image (N, 3, 64, 64)."""

    def __init__(self, channels: int, width: int):
        sides = [channels, *(max(channels >> i, width) for i in range(1, 4))]
        pixels = nn.Conv2d(sides[-1], 3, 3, 1, 1)
        super().__init__(*(Double(a, b) for a, b in pairwise(sides)), pixels, nn.Tanh())


def _distance(drawing: Tensor, image: Tensor) -> Tensor:
    return l1_loss(drawing, interpolate(image, drawing.shape[2:], mode="area"))


def _conv(before: int, after: int, kernel: int, stride: int, padding: int) -> nn.Module:
    """A spectrally normalised convolution without bias (Miyato 2018, arXiv 1802.05957)."""
    layer = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
    nn.init.normal_(layer.weight, 0.0, 0.02)
    return spectral_norm(layer)
