"""The relativistic GAN, Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734.

In the pairing form of R3GAN: Huang et al. 2024, https://arxiv.org/abs/2501.05441, section 2.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.interfaces import Loss


class RelativisticPairing(Loss):
    """Each real image is judged against a fake one (RpGAN; R3GAN adds ``r1`` and ``r2``).

    Every fake must be beaten beside some real image, so dropping a mode never pays. Real and
    fake are paired by their place in the batch.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of softplus(D(G(z)) - D(x))."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean of softplus(D(x) - D(G(z)))."""
        return softplus(real_logits - fake_logits).mean()
