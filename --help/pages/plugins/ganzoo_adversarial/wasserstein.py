"""Wasserstein GAN, Arjovsky, Chintala and Bottou 2017, https://arxiv.org/abs/1701.07875."""

from __future__ import annotations

from torch import Tensor

from ganzoo.interfaces import Loss


class Wasserstein(Loss):
    """The dual form of the earth mover's distance (Arjovsky 2017, equation 2).

    It is meaningful only for a Lipschitz critic: use ``gradient-penalty`` with it.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of D(G(z)) minus mean of D(x)."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Mean of -D(G(z))."""
        return -fake_logits.mean()
