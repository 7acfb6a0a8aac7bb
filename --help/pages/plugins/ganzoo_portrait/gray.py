"""Grayscale style: AnimeGAN, Chen, Liu and Chen 2019 (ISICA), the loss L_gra.

As in the authors' code, https://github.com/TachibanaYoshino/AnimeGAN.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import l1_loss

from ganzoo.interfaces import Loss
from ganzoo_portrait._features import grams, mean_over_layers


class Gray(Loss):
    """Takes texture, not colour, from the cartoons: the Gram of gray cartoons (AnimeGAN 2019).

    ``gray`` is a view that the recipe defines: ``views: {gray: {use: grayscale, of: real}}``.
    The fake stays in colour. A fake is compared with the cartoon at its place in the batch.
    AnimeGAN's layer is conv4_4 of VGG19, before its ReLU, with weight 3.
    """

    def generator(
        self, fake_features: dict[str, Tensor], gray_features: dict[str, Tensor]
    ) -> Tensor:
        """Mean over layers of the mean |Gram(x) - Gram(G(p))|, Gram = F Fᵀ / (C·H·W)."""
        return mean_over_layers(l1_loss, grams(fake_features, "gray"), grams(gray_features, "gray"))
