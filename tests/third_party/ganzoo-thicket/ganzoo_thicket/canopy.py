"""Feature matching: Salimans et al. 2016, section 3.1, https://arxiv.org/abs/1606.03498."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.interfaces import Loss


class Canopy(Loss):
    """Keeps the mean features of a batch of fakes near those of the reals (Salimans 2016).

    By the features of any extractor, averaged over its layers.
    """

    def generator(
        self, fake_features: dict[str, Tensor], real_features: dict[str, Tensor]
    ) -> Tensor:
        """Mean over layers of the mean |mean F(fake) - mean F(real)|."""
        apart = [
            (fake.mean(0) - real_features[layer].mean(0)).abs().mean()
            for layer, fake in fake_features.items()
        ]
        return torch.stack(apart).mean()
