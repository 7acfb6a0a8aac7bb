"""R1 and R2, Mescheder, Geiger and Nowozin 2018, https://arxiv.org/abs/1801.04406, section 4.1."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganzoo.interfaces import Loss
from ganzoo_adversarial._gradients import squared_norm


class R1(Loss):
    """Zero-centred gradient penalty on real images (Mescheder 2018, equation 9).

    The value is E||grad D(x)||² / 2, so that the term's ``weight`` is the paper's gamma.  It needs
    no extra forward pass: ``real_logits`` depend on ``real``, augmentation included.
    """

    differentiates: ClassVar[tuple[str, ...]] = ("real",)

    def discriminator(self, real: Tensor, real_logits: Tensor) -> Tensor:
        """Half the mean over samples of the squared norm of d real_logits / d real."""
        return squared_norm(real_logits, real).mean() / 2


class R2(Loss):
    """Zero-centred gradient penalty on fakes (Mescheder 2018, equation 10).

    The value is E||grad D(G(z))||² / 2, so that the term's ``weight`` is the paper's gamma.
    """

    differentiates: ClassVar[tuple[str, ...]] = ("fake",)

    def discriminator(self, fake: Tensor, fake_logits: Tensor) -> Tensor:
        """Half the mean over samples of the squared norm of d fake_logits / d fake."""
        return squared_norm(fake_logits, fake).mean() / 2
