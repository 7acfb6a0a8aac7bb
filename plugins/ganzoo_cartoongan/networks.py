"""CartoonGAN's networks: Chen, Lai and Liu 2018, doi 10.1109/CVPR.2018.00986, section 3.1.

Where the authors' code (FlyingGoblin/CartoonGAN) settles or changes something, it is followed:

- every layer of the generator pads by reflection, and its last one ends in a tanh;
- instance norm, where the paper says batch norm;
- weights N(0, 0.02), and no biases: that code sets them to zero at every step.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.images import pad_to_multiple
from ganzoo.interfaces import Discriminator, Generator

STRIDE = 4  # of the generator's innermost layers


class CartoonGANGenerator(Generator):
    """Two halvings, residual blocks, two doublings; images of any size keep theirs (Chen 2018).

    If a side is not a multiple of 4, the image is extended at the right and the bottom, and the
    result is cropped.

    A convolution before a norm has no bias, as the norm would subtract it: added to every pixel of
    a channel, it moves the mean by as much.  A second convolution in between still turns a constant
    (which reflection extends by itself) into a constant.  Weights trained with such biases give the
    same images without them.

    Args:
        channels: of the first layer and the last; the innermost layers have four times as many.
        blocks: residual blocks.
        norm: ``instance``, as in the authors' code, or ``batch``, as in the paper.
        eps: added to the variance by each norm.
    """

    def __init__(
        self,
        channels: Annotated[int, Ge(1)] = 64,
        blocks: Annotated[int, Ge(0)] = 8,
        norm: Literal["instance", "batch"] = "instance",
        eps: Annotated[float, Gt(0)] = 1e-5,
    ):
        super().__init__()
        one, two, four = channels, 2 * channels, 4 * channels
        self.layers = nn.Sequential(
            reflecting(3, one, 7),
            normalising(norm, one, eps),
            nn.ReLU(inplace=True),
            *halving(one, two, norm, eps),
            *halving(two, four, norm, eps),
            *(Residual(four, norm, eps) for _ in range(blocks)),
            *doubling(four, two, norm, eps),
            *doubling(two, one, norm, eps),
            reflecting(one, 3, 7, bias=True),
            nn.Tanh(),
        )
        self.apply(initialise)

    def forward(self, photo: Tensor) -> Tensor:
        """Turn RGB photos (N, 3, H, W) in [-1, 1], at least 1x1, into cartoons of their size."""
        height, width = photo.shape[-2:]
        return self.layers(pad_to_multiple(photo, STRIDE))[..., :height, :width]


class CartoonGANDiscriminator(Discriminator):
    """Seven 3x3 convolutions, two of them strided, that judge patches (Chen 2018).

    Args:
        channels: of the first layer; the last but one has eight times as many.
        norm: ``instance``, as in the authors' code, ``batch``, as in the paper, or ``none``.
        spectral: whether every convolution has spectral norm, as in AnimeGAN (Miyato 2018,
            https://arxiv.org/abs/1802.05957).
    """

    def __init__(
        self,
        channels: Annotated[int, Ge(1)] = 32,
        norm: Literal["instance", "batch", "none"] = "instance",
        spectral: bool = False,
    ):
        super().__init__()
        # multiple of ``channels``, stride, whether a norm follows
        plan = [
            (1, 1, False),
            (2, 2, False),
            (4, 1, True),
            (4, 2, False),
            (8, 1, True),
            (8, 1, True),
        ]
        layers: list[nn.Module] = []
        before = 3
        for multiple, stride, has_norm in plan:
            after = multiple * channels
            layers.append(nn.Conv2d(before, after, 3, stride, 1, bias=norm == "none"))
            if has_norm and norm != "none":
                layers.append(normalising(norm, after))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        layers.append(nn.Conv2d(before, 1, 3, 1, 1, bias=norm == "none"))
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)
        if spectral:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, image: Tensor) -> Tensor:
        """Return raw logits (N, 1, H/4, W/4), rounded up, of images (N, 3, H, W)."""
        return self.layers(image)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))); nothing after the sum."""

    def __init__(self, channels: int, norm: str, eps: float):
        super().__init__()
        self.layers = nn.Sequential(
            reflecting(channels, channels, 3),
            normalising(norm, channels, eps),
            nn.ReLU(inplace=True),
            reflecting(channels, channels, 3),
            normalising(norm, channels, eps),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return x + self.layers(x)


def halving(before: int, after: int, norm: str, eps: float) -> list[nn.Module]:
    """Build a strided convolution and a plain one, with nothing between; half the sides."""
    return [
        reflecting(before, after, 3, stride=2),
        reflecting(after, after, 3),
        normalising(norm, after, eps),
        nn.ReLU(inplace=True),
    ]


def doubling(before: int, after: int, norm: str, eps: float) -> list[nn.Module]:
    """Build a transposed convolution and a plain one, with nothing between; twice the sides."""
    return [
        nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1, bias=False),
        reflecting(after, after, 3),
        normalising(norm, after, eps),
        nn.ReLU(inplace=True),
    ]


def reflecting(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Build a convolution that mirrors the image at its borders."""
    return nn.Conv2d(
        before,
        after,
        kernel,
        stride,
        kernel // 2,
        groups=groups,
        bias=bias,
        padding_mode="reflect",
    )


def normalising(norm: str, channels: int, eps: float = 1e-5) -> nn.Module:
    """Build instance norm with gains and shifts, or batch norm."""
    if norm == "batch":
        return nn.BatchNorm2d(channels, eps)
    return nn.InstanceNorm2d(channels, eps, affine=True)


def initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02), with biases 0; norms begin with gain 1 and shift 0."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
