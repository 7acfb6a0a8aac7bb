"""CycleGAN's networks: Zhu, Park, Isola and Efros 2017 (ICCV), https://arxiv.org/abs/1703.10593.

Appendix 7.2, and the authors' code (junyanz/CycleGAN) where it settles something: instance norm has
gains and shifts, weights are N(0, 0.02) and gains N(1, 0.02); convolutions' biases are set to zero
at every step, so those before a norm have none here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

from ganzoo.interfaces import Discriminator, Generator
from ganzoo_cyclegan.pool import ImagePool
from ganzoo_pix2pix.networks import extended, halved, initialise, normalising, patch_critic

STRIDE = 4  # of the generator's innermost layers
# Their reflection needs 2 rows to mirror, and instance norm more than one value.
LEAST = 2 * STRIDE


class ResidualGenerator(Generator):
    """Two halvings, residual blocks, two doublings; images of any size keep theirs (Zhu 2017).

    The transformation network of Johnson, Alahi and Fei-Fei 2016 with instance norm.  If a side is
    not a multiple of 4, the image is extended at the right and the bottom, and the result is
    cropped.

    Args:
        width: channels of the first layer and the last; the blocks have four times as many.
        blocks: residual blocks; 9 in the paper for 256 px, 6 for 128 px.
    """

    def __init__(self, width: Annotated[int, Ge(1)] = 64, blocks: Annotated[int, Ge(0)] = 9):
        super().__init__()
        one, two, four = width, 2 * width, 4 * width
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            *convolved(nn.Conv2d(3, one, 7, bias=False)),
            *convolved(nn.Conv2d(one, two, 3, 2, 1, bias=False)),
            *convolved(nn.Conv2d(two, four, 3, 2, 1, bias=False)),
            *(Residual(four) for _ in range(blocks)),
            *convolved(nn.ConvTranspose2d(four, two, 3, 2, 1, output_padding=1, bias=False)),
            *convolved(nn.ConvTranspose2d(two, one, 3, 2, 1, output_padding=1, bias=False)),
            nn.ReflectionPad2d(3),
            nn.Conv2d(one, 3, 7),
            nn.Tanh(),
        )
        self.apply(initialise)

    def forward(self, photo: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) in [-1, 1], at least 1x1, into others of their size."""
        height, width = photo.shape[-2:]
        return self.layers(extended(photo, STRIDE, LEAST))[..., :height, :width]


class PatchDiscriminator(Discriminator):
    """pix2pix's critic of patches without a source image, and a pool of past fakes (Zhu 2017).

    With 0, 1, 2, 3, 4 or 5 ``layers`` a logit sees a patch of 1, 16, 34, 70, 142 or 286 pixels.
    The loss ``lsgan-history`` shows it fakes from the pool, which is part of its weights: so a
    resumed training goes on with the same pool.

    Args:
        width: channels of the first layer; they double with each layer, up to 8 times as many.
        layers: strided convolutions; 3 in the paper.
        norm: ``instance``, as in the paper, ``batch``, or ``none``.
        halvings: how often images are halved before, for a critic of coarser patches beside one of
            fine ones, as in pix2pixHD (Wang 2018, https://arxiv.org/abs/1711.11585).
        pool: past fakes to keep; 50 in the paper.
    """

    heads = ("past",)

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        layers: Annotated[int, Interval(ge=0, le=8)] = 3,
        norm: Literal["instance", "batch", "none"] = "instance",
        halvings: Annotated[int, Interval(ge=0, le=8)] = 0,
        pool: Annotated[int, Ge(0)] = 50,
    ):
        super().__init__()
        self.halvings = halvings
        self.layers = patch_critic(3, width, layers, norm)
        self.pool = ImagePool(pool)

    def forward(self, image: Tensor) -> Tensor:
        """Return raw logits (N, 1, h, w) of images (N, 3, H, W)."""
        return self.layers(halved(image, self.halvings))

    def past(self, image: Tensor) -> Tensor:
        """Put fakes (N, 3, H, W) into the pool; return as many, half of them older ones."""
        return self.pool(image)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))); nothing after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            *convolved(nn.Conv2d(channels, channels, 3, bias=False)),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            normalising("instance", channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return x + self.layers(x)


def convolved(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    """Follow a convolution with its norm and a rectifier."""
    return layer, normalising("instance", layer.out_channels), nn.ReLU()
