"""Shared parts of feature losses: Gram matrices, and the average over an extractor's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ganzoo.errors import DataError

Features = Mapping[str, Tensor]


def mean_over_layers(
    distance: Callable[[Tensor, Tensor], Tensor], one: Features, other: Features
) -> Tensor:
    """Average ``distance(one[layer], other[layer])`` over the layers, a scalar."""
    return torch.stack([distance(one[layer], other[layer]) for layer in one]).mean()


def grams(features: Features, loss: str) -> dict[str, Tensor]:
    """Compute the Gram matrix F Fᵀ / (C·H·W) of every layer, (N, C, H, W) to (N, C, C).

    Raises DataError, naming ``loss``, for a layer that has no places to sum over.
    """
    matrices = {}
    for layer, feature in features.items():
        if feature.ndim != 4:
            shape = ", ".join(map(str, feature.shape))
            raise DataError(
                f"{loss}: layer '{layer}' has the shape ({shape}), but a Gram matrix is made from "
                "feature maps (N, C, H, W). Give the term an extractor of convolutional layers, "
                "such as vgg19 with conv4_4."
            )
        flat = feature.flatten(2)
        matrices[layer] = flat @ flat.mT / feature[0].numel()
    return matrices
