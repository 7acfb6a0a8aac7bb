"""Generative Adversarial Nets, Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.interfaces import Loss


class NonSaturating(Loss):
    """Binary cross-entropy; the generator maximises log D(G(z)) (Goodfellow 2014, section 3).

    With raw logits, -log sigmoid(x) = softplus(-x), which neither overflows nor saturates.

    Args:
        label_smoothing: the discriminator's target for real images is 1 minus this; that for
            fakes stays 0 (one-sided, Salimans 2016, https://arxiv.org/abs/1606.03498, 3.4).
    """

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Cross-entropy of real against 1 - label_smoothing plus that of fake against 0."""
        real = softplus(-real_logits).mean()
        if self.label_smoothing:  # BCE(x, 1 - s) = softplus(-x) + s x
            real = real + self.label_smoothing * real_logits.mean()
        return real + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Cross-entropy of fake against 1."""
        return softplus(-fake_logits).mean()
