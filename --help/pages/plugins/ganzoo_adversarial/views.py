"""Plain functions of an image, for a recipe's ``views``."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganzoo.interfaces import Transform
from ganzoo_adversarial._beside import beside


class Grayscale(Transform):
    """Luma in all three channels (ITU-R BT.601: .299 red, .587 green, .114 blue)."""

    def __call__(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) to the same, three equal channels; [-1, 1] stays [-1, 1]."""
        weights = beside(image, torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64))[
            :, None, None
        ]
        return (image * weights).sum(dim=1, keepdim=True).expand_as(image)


class Blur(Transform):
    """Gaussian blur; the border pixels are repeated outwards.

    Args:
        sigma: standard deviation in pixels; the kernel reaches three of them each way.
    """

    def __init__(self, sigma: Annotated[float, Gt(0)]):
        reach = math.ceil(3 * sigma)
        kernel = torch.exp(-torch.arange(-reach, reach + 1).double().square() / (2 * sigma**2))
        self.reach = reach
        self.kernel = kernel / kernel.sum()

    def __call__(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the same: one pass along the rows, one along the columns."""
        channels = image.shape[1]
        kernel = beside(image, self.kernel).repeat(channels, 1, 1, 1)  # (C, 1, 1, K), depthwise
        image = pad(image, [self.reach] * 4, mode="replicate")
        image = conv2d(image, kernel, groups=channels)
        return conv2d(image, kernel.mT, groups=channels)
