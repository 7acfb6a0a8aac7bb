"""The edge-promoting loss of CartoonGAN: Chen, Lai and Liu 2018 (CVPR), section 3.2.1.

The paper's adversarial loss has three terms of weight 1: log D(c) of cartoons, log(1 - D(e)) of the
same cartoons with smoothed edges, and log(1 - D(G(p))) of photos turned into cartoons.  The first
and third are any adversarial term (``lsgan``, ``non-saturating``); this is the second.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.interfaces import Loss


class EdgePromoting(Loss):
    """Cartoons with smoothed edges count as fake, so G must draw clear ones (Chen 2018).

    Use it beside an adversarial term with the same objective, in the discriminator's loss.

    Args:
        objective: ``lsgan``, as in the authors' code, beside the term ``lsgan``; ``log``, as in
            the paper, beside ``non-saturating``.
    """

    def __init__(self, objective: Literal["lsgan", "log"] = "lsgan"):
        super().__init__()
        self.objective = objective

    def discriminator(self, smooth_logits: Tensor) -> Tensor:
        """Mean of D(e)², or of -log(1 - sigmoid D(e)) = softplus(D(e))."""
        if self.objective == "log":
            return softplus(smooth_logits).mean()
        return smooth_logits.square().mean()
