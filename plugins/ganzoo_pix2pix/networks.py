"""pix2pix's networks: Isola, Zhu, Zhou and Efros 2017 (CVPR), https://arxiv.org/abs/1611.07004.

Appendix 6.1, and the authors' code (phillipi/pix2pix) where it settles something: the innermost
layer has no norm, which would erase its single pixel; weights are N(0, 0.02), the norms' gains
N(1, 0.02); that code sets convolutions' biases to zero at every step, so those before a norm have
none here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval, Lt
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from ganzoo.interfaces import Discriminator, Generator

WIDEST = 8  # times the width of the first layer


class UNetGenerator(Generator):
    """Halvings, as many doublings, and a bridge at each size between the two (Isola 2017).

    Each doubling reads the last one's output beside the halving's of the same size.  Images of any
    size keep theirs: if a side is not a multiple of 2**levels, the image is extended at the right
    and the bottom, and the result is cropped.

    The paper trains with batch norm on batches of one and keeps both its statistics and the dropout
    in use, as noise, when it draws.  Here dropout is off once the model is trained, and one image
    does not depend on another: so instance norm, which is batch norm of a single image, and no
    dropout.

    Args:
        width: channels of the first layer; they double with each level, up to 8 times as many.
        levels: halvings; the paper has 8 for 256 px, of which the innermost sees the whole image,
            and 7 for 128 px.
        norm: ``instance``, or ``batch`` as in the paper.
        dropout: share of the channels' values that the three innermost doublings drop; 0.5 in the
            paper.
    """

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        levels: Annotated[int, Interval(ge=1, le=10)] = 8,
        norm: Literal["instance", "batch"] = "instance",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ):
        super().__init__()
        self.multiple = 2**levels
        widths = [width * min(2**level, WIDEST) for level in range(levels)]
        self.down = nn.ModuleList([nn.Conv2d(3, width, 4, 2, 1)])
        for before, after in pairwise(widths):
            innermost = len(self.down) == levels - 1
            self.down.append(
                nn.Sequential(
                    nn.LeakyReLU(0.2),
                    nn.Conv2d(before, after, 4, 2, 1, bias=innermost),
                    nn.Identity() if innermost else normalising(norm, after),
                )
            )
        self.up = nn.ModuleList()
        before = widths[-1]
        for after in reversed(widths[:-1]):
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                    normalising(norm, after),
                    nn.Dropout(dropout if len(self.up) < 3 else 0.0),
                )
            )
            before = 2 * after
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(before, 3, 4, 2, 1), nn.Tanh())
        self.apply(initialise)

    def forward(self, photo: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) in [-1, 1], at least 1x1, into others of their size."""
        height, width = photo.shape[-2:]
        x = extended(photo, self.multiple)
        bridges = []
        for halving in self.down:
            x = halving(x)
            bridges.append(x)
        for doubling, bridge in zip(self.up, reversed(bridges[:-1]), strict=True):
            x = torch.cat([doubling(x), bridge], dim=1)
        return self.last(x)[..., :height, :width]


class ConditionalPatchDiscriminator(Discriminator):
    """Judges patches of an image beside its source, ``photo`` (Isola 2017).

    With 0, 1, 2, 3, 4 or 5 ``layers`` a logit sees a patch of 1, 16, 34, 70, 142 or 286 pixels.

    Args:
        width: channels of the first layer; they double with each layer, up to 8 times as many.
        layers: strided convolutions; 3 in the paper, and 0 is its PixelGAN of 1x1 convolutions.
        norm: ``instance``, ``batch`` as in the paper, or ``none``.
        halvings: how often both images are halved before, for a critic of coarser patches beside
            one of fine ones, as in pix2pixHD (Wang 2018, https://arxiv.org/abs/1711.11585).
    """

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        layers: Annotated[int, Interval(ge=0, le=8)] = 3,
        norm: Literal["instance", "batch", "none"] = "instance",
        halvings: Annotated[int, Interval(ge=0, le=8)] = 0,
    ):
        super().__init__()
        self.halvings = halvings
        self.layers = patch_critic(6, width, layers, norm)

    def forward(self, image: Tensor, photo: Tensor) -> Tensor:
        """Return raw logits (N, 1, h, w) of images (N, 3, H, W) made from photos (N, 3, H, W)."""
        return self.layers(halved(torch.cat([image, photo], dim=1), self.halvings))


def patch_critic(inputs: int, width: int, layers: int, norm: str) -> nn.Sequential:
    """Build the critic of patches for images of so many channels."""
    kernel = 4 if layers else 1
    widths = [width * min(2**layer, WIDEST) for layer in range(max(layers, 1) + 1)]
    parts: list[nn.Module] = []
    before = inputs
    for place, after in enumerate(widths):
        stride = 2 if place < layers else 1
        has_norm = norm != "none" and place > 0
        parts.append(nn.Conv2d(before, after, kernel, stride, kernel // 4, bias=not has_norm))
        if has_norm:
            parts.append(normalising(norm, after))
        parts.append(nn.LeakyReLU(0.2))
        before = after
    parts.append(nn.Conv2d(before, 1, kernel, 1, kernel // 4))
    critic = nn.Sequential(*parts)
    critic.apply(initialise)
    return critic


def halved(image: Tensor, times: int) -> Tensor:
    """Halve images so often, by averages over 3x3 pixels that do not count the border."""
    for _ in range(times):
        image = avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
    return image


def extended(image: Tensor, multiple: int, least: int = 1) -> Tensor:
    """Extend the image to sides of at least ``least`` and multiples of ``multiple``.

    Its right and bottom are mirrored if it is large enough, and repeated otherwise.
    """
    for axis in (-1, -2):
        side = image.shape[axis]
        rest = max(least - side, -side % multiple)
        if rest:
            mode = "reflect" if rest < side else "replicate"
            image = pad(image, (0, rest, 0, 0) if axis == -1 else (0, 0, 0, rest), mode)
    return image


def normalising(norm: str, channels: int) -> nn.Module:
    """Build instance norm with gains and shifts, or batch norm."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


def initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and the norms' gains from N(1, 0.02); biases and shifts 0."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.InstanceNorm2d, nn.BatchNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
