"""Content: CartoonGAN, Chen, Lai and Liu 2018 (CVPR), equation 4.

Squared, it is the content loss of Gatys, Ecker and Bethge 2016 (CVPR), equation 1.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ganzoo.interfaces import Loss
from ganzoo_portrait._features import mean_over_layers


class Content(Loss):
    """Keeps the photo's content: features of the fake near the photo's (Chen 2018).

    The mean over batch, channels and places of the difference, averaged over the extractor's
    layers.  The papers' norms are sums, so their weights are meaningful only with their sizes.
    CartoonGAN's layer is conv4_4 of VGG19, before its ReLU, with weight 10.

    Args:
        distance: l1, the absolute difference of CartoonGAN, whose sparse gradients leave room for
            the few large changes that a cartoon needs; l2, the squared one of Gatys.
    """

    def __init__(self, distance: Literal["l1", "l2"] = "l1"):
        super().__init__()
        self.distance = {"l1": l1_loss, "l2": mse_loss}[distance]

    def generator(
        self, fake_features: dict[str, Tensor], photo_features: dict[str, Tensor]
    ) -> Tensor:
        """Mean over layers of the mean |F(G(p)) - F(p)|, or of its square."""
        return mean_over_layers(self.distance, fake_features, photo_features)
