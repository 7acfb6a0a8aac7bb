"""Least squares on past fakes: Zhu et al. 2017 (CycleGAN), section 4, training details.

The history is that of Shrivastava et al. 2017, https://arxiv.org/abs/1612.07828, section 2.3.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganzoo.interfaces import Loss


class LeastSquaresHistory(Loss):
    """As ``lsgan``, but the critic also sees fakes of earlier steps (Zhu 2017; Shrivastava 2017).

    So it does not forget what the generator has tried.  The critic keeps the past fakes:
    ``cyclegan-patch`` has such a pool.  They are judged as they are, without the recipe's
    ``augment``.
    """

    def discriminator(self, real_logits: Tensor, fake: Tensor, discriminator: Any) -> Tensor:
        """Mean of (D(x) - 1)² plus mean of D(past fakes)²."""
        past_logits = discriminator(discriminator.past(fake))
        return (real_logits - 1).square().mean() + past_logits.square().mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Mean of (D(G(x)) - 1)²."""
        return (fake_logits - 1).square().mean()
