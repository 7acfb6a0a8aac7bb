"""DRAGAN: On Convergence and Stability of GANs, Kodali et al. 2017.

https://arxiv.org/abs/1705.07215
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from ganzoo.interfaces import Loss
from ganzoo_adversarial._beside import beside
from ganzoo_adversarial._gradients import norm_at


class Dragan(Loss):
    """Pulls the norm of D's gradient to 1 around real images (Kodali 2017).

    The noise is that of the authors' code, not the Gaussian of the paper's text: uniform in [0,
    spread x the batch's standard deviation], scaled by a number in [0, 1] for each sample.  Their
    weight is 10.  As with ``gradient-penalty``, D must not have batch norm.

    Args:
        target: the norm to pull to.
        spread: the largest noise, in standard deviations of the batch of real images.
    """

    def __init__(
        self, target: Annotated[float, Ge(0)] = 1.0, spread: Annotated[float, Gt(0)] = 0.5
    ):
        super().__init__()
        self.target = target
        self.spread = spread

    def discriminator(self, real: Tensor, discriminator: Callable[[Tensor], Tensor]) -> Tensor:
        """Mean over samples of (||grad D|| - target)² at noisy real images."""
        noise = beside(real, torch.rand(real.shape))
        noise = noise * beside(real, torch.rand(len(real), 1, 1, 1))
        near = real + self.spread * real.std() * noise
        return (norm_at(near, discriminator) - self.target).square().mean()
