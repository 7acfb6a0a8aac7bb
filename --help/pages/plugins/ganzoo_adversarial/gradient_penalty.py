"""WGAN-GP, Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import relu

from ganzoo.interfaces import Loss
from ganzoo_adversarial._beside import beside
from ganzoo_adversarial._gradients import norm_at


class GradientPenalty(Loss):
    """Pulls the norm of D's gradient to 1 between real and fake (Gulrajani 2017, equation 3).

    Each pair gets its own point on the line between them. The paper's weight is 10. D must
    not mix the samples of a batch: give it ``norm: layer`` or ``none``, not batch norm.

    Args:
        target: the norm to pull to.
        one_sided: leave norms below the target alone (the paper's "one-sided penalty").
    """

    def __init__(self, target: Annotated[float, Ge(0)] = 1.0, one_sided: bool = False):
        super().__init__()
        self.target = target
        self.one_sided = one_sided

    def discriminator(
        self, real: Tensor, fake: Tensor, discriminator: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Mean over samples of (||grad D|| - target)² at random points between the pairs."""
        eps = beside(real, torch.rand(len(real), 1, 1, 1))
        excess = norm_at(eps * real + (1 - eps) * fake, discriminator) - self.target
        return (relu(excess) if self.one_sided else excess).square().mean()
