"""The terms that tie two generators together: Zhu et al. 2017 (CycleGAN), equations 2 and 7.

https://arxiv.org/abs/1703.10593.  G draws photos, F turns drawings back into photos.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import l1_loss

from ganzoo.interfaces import Loss


class Cycle(Loss):
    """What both generators make of an image one after the other is that image (Zhu 2017).

    The recipe defines the words as views: ``photo_fake: {apply: backward, to: real}``, ``cycled:
    {apply: backward, to: fake}`` and ``real_cycled: {apply: generator, to: photo_fake}``, where
    ``backward`` is the second generator.  The paper's weight is 10.
    """

    def generator(self, photo: Tensor, cycled: Tensor, real: Tensor, real_cycled: Tensor) -> Tensor:
        """Mean |F(G(x)) - x| plus mean |G(F(y)) - y|."""
        return l1_loss(cycled, photo) + l1_loss(real_cycled, real)


class Identity(Loss):
    """Each generator leaves images of its own target domain alone, which keeps colours (Zhu 2017).

    The recipe defines the words as views: ``same: {apply: generator, to: real}`` and ``photo_same:
    {apply: backward, to: photo}``.  The paper's weight is half that of ``cycle``, so 5.
    """

    def generator(self, real: Tensor, same: Tensor, photo: Tensor, photo_same: Tensor) -> Tensor:
        """Mean |G(y) - y| plus mean |F(x) - x|."""
        return l1_loss(same, real) + l1_loss(photo_same, photo)
