"""The hinge loss: Geometric GAN, Lim and Ye 2017, https://arxiv.org/abs/1705.02894.

Also Miyato et al. 2018 (spectral normalisation), https://arxiv.org/abs/1802.05957, eq. 16, 17.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from ganzoo.interfaces import Loss


class Hinge(Loss):
    """Hinge loss: D stops caring beyond the margins ±1 (Lim and Ye 2017; Miyato 2018)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of max(0, 1 - D(x)) plus mean of max(0, 1 + D(G(z)))."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Mean of -D(G(z))."""
        return -fake_logits.mean()
