"""Least Squares GAN, Mao et al. 2017, https://arxiv.org/abs/1611.04076."""

from __future__ import annotations

from torch import Tensor

from ganzoo.interfaces import Loss


class LeastSquares(Loss):
    """Least squares towards 1 for real and 0 for fake; 1 for the generator (Mao 2017).

    Plain mean squares, as in AnimeGAN's code and the weights people quote; the paper's
    equation 9 has a factor 1/2 before each, which ``weight: 0.5`` restores.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of (D(x) - 1)² plus mean of D(G(z))²."""
        return (real_logits - 1).square().mean() + fake_logits.square().mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Mean of (D(G(z)) - 1)²."""
        return (fake_logits - 1).square().mean()
