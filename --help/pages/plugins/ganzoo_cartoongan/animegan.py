"""AnimeGAN's first generator: Chen, Liu and Chen 2019, doi 10.1007/978-981-15-5577-0_18."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.images import pad_to_multiple
from ganzoo.interfaces import Generator
from ganzoo_cartoongan.networks import STRIDE, normalising, reflecting

EPS = 1e-6  # epsilon of instance norm in TensorFlow 1


class AnimeGANGenerator(Generator):
    """Separable convolutions and inverted residual blocks; images keep their size (Chen 2019).

    As in the authors' code (TachibanaYoshino/AnimeGAN): instance norm and leaky ReLU, mirrored
    borders, no biases, twice ``channels`` after the last doubling (the paper's figure has them
    once).  Halving and doubling keep pixel centres in place; that code's resizing, as in TensorFlow
    1, moves the image by a fraction of a pixel.

    If a side is not a multiple of 4, the image is extended at the right and the bottom, and the
    result is cropped.

    Args:
        channels: of the first layer and the last; the innermost layers have four times as many.
        blocks: inverted residual blocks.
    """

    def __init__(self, channels: Annotated[int, Ge(1)] = 64, blocks: Annotated[int, Ge(0)] = 8):
        super().__init__()
        one, two, four = channels, 2 * channels, 4 * channels
        self.layers = nn.Sequential(
            *(full(3, one), full(one, one), Halving(one, two)),
            *(full(two, two), separable(two, two), Halving(two, four)),
            full(four, four),
            *(InvertedResidual(four) for _ in range(blocks)),
            full(four, four),
            *(Doubling(four, two), separable(two, two), full(two, two)),
            *(Doubling(two, two), full(two, one), full(one, one)),
            nn.Conv2d(one, 3, 1, bias=False),
            nn.Tanh(),
        )
        self.apply(initialise)

    def forward(self, photo: Tensor) -> Tensor:
        """Turn RGB photos (N, 3, H, W) in [-1, 1], at least 1x1, into drawings of their size."""
        height, width = photo.shape[-2:]
        return self.layers(pad_to_multiple(photo, STRIDE))[..., :height, :width]


class Halving(nn.Module):
    """A strided separable convolution plus a plain one of the image at half its size."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.strided = nn.Sequential(
            nn.ReflectionPad2d((0, 1, 0, 1)),
            nn.Conv2d(before, before, 3, stride=2, groups=before, bias=False),
            nn.Conv2d(before, after, 1, bias=False),
            *norm_and_slope(after),
        )
        self.resized = separable(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H/2, W/2)."""
        half = interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
        return self.strided(x) + self.resized(half)


class Doubling(nn.Module):
    """A separable convolution of the image at twice its size."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.resized = separable(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, 2H, 2W)."""
        return self.resized(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))


class InvertedResidual(nn.Module):
    """x + what separate convolutions make of twice the channels (Sandler 2018).

    https://arxiv.org/abs/1801.04381
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = 2 * channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            *norm_and_slope(inner),
            reflecting(inner, inner, 3, groups=inner),
            *norm_and_slope(inner),
            nn.Conv2d(inner, channels, 1, bias=False),
            normalising("instance", channels, EPS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return x + self.layers(x)


def full(before: int, after: int) -> nn.Sequential:
    """Build a 3x3 convolution with its norm and slope."""
    return nn.Sequential(reflecting(before, after, 3), *norm_and_slope(after))


def separable(before: int, after: int) -> nn.Sequential:
    """Build a 3x3 convolution of each channel, and a 1x1 convolution with its norm and slope."""
    return nn.Sequential(
        reflecting(before, before, 3, groups=before),
        nn.Conv2d(before, after, 1, bias=False),
        *norm_and_slope(after),
    )


def norm_and_slope(channels: int) -> tuple[nn.Module, nn.Module]:
    """Build instance norm and a leaky ReLU."""
    return normalising("instance", channels, EPS), nn.LeakyReLU(0.2, inplace=True)


def initialise(module: nn.Module) -> None:
    """Initialise weights as Glorot and Bengio 2010 do, TensorFlow 1's default."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
