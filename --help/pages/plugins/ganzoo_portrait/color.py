"""Colour reconstruction: AnimeGAN, Chen, Liu and Chen 2019 (ISICA), the loss L_col.

As in the authors' code, https://github.com/TachibanaYoshino/AnimeGAN.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from ganzoo.interfaces import Loss

#: rows Y, U, V; columns R, G, B: tf.image.rgb_to_yuv, which the authors used
_YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)


class Color(Loss):
    """Keeps the photo's colours, brightness more strictly than hue (AnimeGAN 2019).

    Images are compared in YUV, with R, G and B in [0, 1].  AnimeGAN's weight is 10.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("yuv", torch.tensor(_YUV), persistent=False)

    def generator(self, fake: Tensor, photo: Tensor) -> Tensor:
        """Mean |ΔY|, plus the mean Huber (delta 1) of ΔU and of ΔV."""
        rgb = (fake - photo) / 2  # a difference in [-1, 1] is twice that in [0, 1]
        y, u, v = torch.einsum("dc,nchw->dnhw", self.get_buffer("yuv").to(rgb), rgb)
        return y.abs().mean() + _huber(u) + _huber(v)


def _huber(difference: Tensor) -> Tensor:
    return huber_loss(difference, torch.zeros_like(difference), delta=1.0)
