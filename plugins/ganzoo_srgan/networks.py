"""SRGAN's networks: Ledig et al. 2016 (CVPR 2017), https://arxiv.org/abs/1609.04802.

Figure 4 and section 3.2.  Two things are ours: sub-pixel convolutions begin without a checkerboard
(ICNR, Aitken et al. 2017, https://arxiv.org/abs/1707.02937), and residual blocks begin near zero,
so that a network without batch norm learns from the first step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pad

from ganzoo.interfaces import Discriminator, Generator

#: channels of the critic's layers in widths of the first; every second one halves the image
CRITIC = (1, 1, 2, 2, 4, 4, 8, 8)
HALVINGS = 4
#: units of the paper's dense layer in widths: 1024 of 64
DENSE = 16
#: what is added to a skip begins so many times smaller
CALM = 0.1
#: pixels on each side of one whose mean is subtracted
AROUND = 2


class SRResNet(Generator):
    """Enlarges images of any size: residual blocks, then sub-pixel convolutions (Ledig 2016).

    The paper's batch norm learns the statistics of its patches.  At other sizes they leave coloured
    boxes, so norms are left out unless asked for (Wang et al. 2018, https://arxiv.org/abs/1809.00219).

    With ``skip`` the network adds to an interpolation what that lacks (Kim et al. 2016,
    https://arxiv.org/abs/1511.04587).  It then reads how each pixel differs from the mean around
    it, and has no biases (both ours).  So it needs fewer steps, a flat colour comes back as it was,
    and an image that is brighter by some amount becomes one that is brighter by as much.

    Args:
        width: channels; 64 in the paper.
        blocks: residual blocks; 16 in the paper.
        scale: how many times larger the output is; 4 in the paper.
        norm: ``none``, or ``batch`` as in the paper.
        kernel: side of the first and the last convolution; 9 in the paper.  3 takes half the time.
        skip: ``none`` as in the paper, or ``bicubic``.
        noise: the most noise that is added to images in training, as a standard deviation in
            [-1, 1].  What a network drew is not clean, and without noise its faults grow sharp too.
    """

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        blocks: Annotated[int, Ge(0)] = 16,
        scale: Literal[2, 4, 8] = 4,
        norm: Literal["none", "batch"] = "none",
        kernel: Literal[3, 5, 7, 9] = 9,
        skip: Literal["none", "bicubic"] = "none",
        noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
    ):
        super().__init__()
        self.output_scale = scale
        self.noise = noise
        self.has_skip = has_skip = skip == "bicubic"
        bias = not has_skip
        self.first = nn.Sequential(
            nn.Conv2d(3, width, kernel, padding="same", bias=bias), nn.PReLU()
        )
        self.blocks = nn.ModuleList([_block(width, norm, bias) for _ in range(blocks)])
        self.middle = nn.Sequential(*_normed(width, norm, bias))
        self.enlarge = nn.Sequential()
        for _ in range(scale.bit_length() - 1):
            conv = nn.Conv2d(width, 4 * width, 3, padding=1, bias=bias)
            _without_checkerboard(conv)
            self.enlarge.extend([conv, nn.PixelShuffle(2), nn.PReLU()])
        self.last = nn.Conv2d(width, 3, kernel, padding="same", bias=bias)
        if has_skip:
            _begin_small(self.last)

    def forward(self, low: Tensor) -> Tensor:
        """Enlarge images (N, 3, H, W) in [-1, 1] to (N, 3, scale H, scale W)."""
        if self.training and self.noise:
            strength = self.noise * torch.rand_like(low[:, :1, :1, :1])
            low = low + strength * torch.randn_like(low)
        # paper: inputs in [0, 1], outputs in [-1, 1]
        first = x = self.first(_differences(low) if self.has_skip else (low + 1) / 2)
        for block in self.blocks:
            x = x + block(x)
        x = self.last(self.enlarge(first + self.middle(x)))
        if not self.has_skip:
            return x.tanh()
        return (interpolate(low, scale_factor=self.output_scale, mode="bicubic") + x).clamp(-1, 1)


class SRGANDiscriminator(Discriminator):
    """Tells enlarged images from real ones, of any size from 16 pixels (Ledig 2016).

    The paper's dense layer reads every place of the last map, so that it knows one size.  Here the
    map is averaged before.

    Args:
        width: channels of the first layer; 64 in the paper.
        norm: ``none``, or ``batch`` as in the paper.
        variant: ``pooled``, or ``paper`` with its dense layer.
        size: height and width of the images, for ``paper``; 96 there.
    """

    def __init__(
        self,
        width: Annotated[int, Ge(1)] = 64,
        norm: Literal["none", "batch"] = "none",
        variant: Literal["pooled", "paper"] = "pooled",
        size: Annotated[int, Interval(ge=16, le=1024)] = 96,
    ):
        super().__init__()
        widths = [3, *(width * times for times in CRITIC)]
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(pairwise(widths)):
            has_norm = norm == "batch" and place > 0
            layers.append(nn.Conv2d(before, after, 3, 1 + place % 2, 1, bias=not has_norm))
            layers += [nn.BatchNorm2d(after)] if has_norm else []
            layers.append(nn.LeakyReLU(0.2))
        side = 1
        if variant == "paper":
            for _ in range(HALVINGS):
                size = -(-size // 2)
            side = size
        else:
            layers.append(nn.AdaptiveAvgPool2d(1))
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(widths[-1] * side**2, DENSE * width),
            nn.LeakyReLU(0.2),
            nn.Linear(DENSE * width, 1),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)

    def forward(self, image: Tensor) -> Tensor:
        """Return raw logits (N, 1) of images (N, 3, H, W) in [-1, 1]."""
        return self.layers(image)


def _differences(image: Tensor) -> Tensor:
    """Subtract from each pixel the mean of the square around it."""
    edges = pad(image, [AROUND] * 4, "replicate")
    return image - avg_pool2d(edges, 2 * AROUND + 1, stride=1)


def _block(width: int, norm: str, bias: bool) -> nn.Sequential:
    """Build what a residual block adds to its input."""
    first, last = _normed(width, norm, bias), _normed(width, norm, bias)
    if norm == "none":
        _begin_small(last[0])
    return nn.Sequential(*first, nn.PReLU(), *last)


def _normed(width: int, norm: str, bias: bool) -> list[nn.Module]:
    conv = nn.Conv2d(width, width, 3, padding=1, bias=bias and norm == "none")
    nn.init.kaiming_normal_(conv.weight, a=0.25)
    return [conv, nn.BatchNorm2d(width)] if norm == "batch" else [conv]


@torch.no_grad()
def _begin_small(conv: nn.Module) -> None:
    assert isinstance(conv, nn.Conv2d)
    conv.weight.mul_(CALM)


@torch.no_grad()
def _without_checkerboard(conv: nn.Conv2d) -> None:
    """Begin with the same kernel for the four pixels that ``PixelShuffle(2)`` makes of one."""
    nn.init.kaiming_normal_(conv.weight, a=0.25)
    conv.weight.copy_(conv.weight[::4].repeat_interleave(4, 0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[::4].repeat_interleave(4, 0))
