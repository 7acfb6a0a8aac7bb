"""The loss: each real image must beat all fakes of the batch at once, and the other way round.

Paper    yours goes here.  As it stands it is the dual contrastive loss (Yu et al. 2021,
         Dual Contrastive Loss and Attention for GANs, section 3, https://arxiv.org/abs/2103.16748).
Shapes   logits (N, ...) to a scalar that is minimised.
Change   the bodies, and the names of the parameters: a loss is given what it names, such as
         ``real``, ``fake``, ``fake_logits``, ``latent`` or ``discriminator``
         (`ganzoo show vocabulary`).  A term for one player alone has one of the two methods.
"""

from __future__ import annotations

from ganzoo.interfaces import Loss
from torch import Tensor
from torch.nn.functional import softplus


class DualContrastive(Loss):
    """Tells a real image from all fakes of the batch, and a fake from all reals (Yu 2021)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Reals win over fakes, and fakes lose against reals."""
        return _contrast(real_logits, fake_logits) + _contrast(-fake_logits, -real_logits)

    def generator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The same with the roles exchanged."""
        return _contrast(fake_logits, real_logits) + _contrast(-real_logits, -fake_logits)


def _contrast(winners: Tensor, losers: Tensor) -> Tensor:
    """Mean over the winners w of log(1 + sum over the losers l of exp(l - w))."""
    winner, loser = (logits.reshape(len(logits), -1).mean(1) for logits in (winners, losers))
    return softplus(loser.logsumexp(0) - winner).mean()
