"""The reconstruction term of pix2pix: Isola, Zhu, Zhou and Efros 2017 (CVPR), equation 3.

https://arxiv.org/abs/1611.07004
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ganzoo.interfaces import Loss


class Pixels(Loss):
    """Pulls every pixel of the fake to the real image's, for paired images (Isola 2017).

    The weight belongs to the range of the images: in [-1, 1] the absolute difference is twice that
    in [0, 1].  pix2pix's weight is 100, beside an adversarial term of weight 1.

    Args:
        distance: l1, the mean absolute difference, which blurs less; l2, the mean squared one.
    """

    def __init__(self, distance: Literal["l1", "l2"] = "l1"):
        super().__init__()
        self.distance = {"l1": l1_loss, "l2": mse_loss}[distance]

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Mean over batch, channels and pixels of |G(x) - y|, or of its square."""
        return self.distance(fake, real)
