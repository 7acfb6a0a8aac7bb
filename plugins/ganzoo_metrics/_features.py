"""Check the extractor's features that a score reads."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganzoo.errors import DataError


def vectors(features: Mapping[str, Tensor], score: str) -> Tensor:
    """Return the only layer as float32 (N, D).

    Raises DataError if there are several, or it is not a vector for each image.
    """
    shapes = {layer: tuple(value.shape) for layer, value in features.items()}
    if len(features) != 1 or any(len(shape) != 2 for shape in shapes.values()):
        texts = ", ".join(f"{layer} {shape}" for layer, shape in shapes.items())
        raise DataError(
            f"{score} wants one vector for each image, (N, D), and its extractor gives {texts}. "
            f"Give the extractor one pooled layer, as layers: [features] of efficientnet-lite0."
        )
    (value,) = features.values()
    return value.float()
