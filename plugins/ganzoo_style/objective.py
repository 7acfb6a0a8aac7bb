"""What neural style minimises: Gatys, Ecker and Bethge 2016, Image style transfer using CNNs.

Equations 1 and 3 to 7: the squared distance of features from those of the photo, and that of their
Gram matrices from those of the style.

The authors rescale VGG19 until every filter's mean activation is 1.  Here each layer's distance is
divided by the squared size of its target instead, so that layers and networks compare without
that: a picture without style has the value 1, and so has one without content.  That, the layers of
networks other than VGG19, and the variation's weight are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo.interfaces import Extractor


class Eyes(NamedTuple):
    """The layers of an extractor that see content, and those that see style.

    Images are enlarged ``zoom`` times before it sees them.  A network whose first layer has a
    stride does not see the finest pattern of pixels, and the search would fill it with noise.
    """

    content: Sequence[str]
    style: Sequence[str]
    zoom: int = 1


#: those of VGG19 are the paper's
EYES = {
    "vgg19": Eyes(["conv4_2"], ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]),
    "vgg16": Eyes(["relu3_3"], ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]),
    "squeezenet": Eyes(["fire5"], ["relu1", "fire2", "fire3", "fire5", "fire7"], zoom=2),
    "efficientnet-lite0": Eyes(
        ["stage3"], ["stem", "stage1", "stage2", "stage3", "stage4"], zoom=2
    ),
}


@dataclass(frozen=True)
class Weights:
    """How much the parts of the objective count; content counts 1."""

    style: float = 10.0
    variation: float = 0.1


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrices (N, C, C) of features (N, C, H, W), over their number of places."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def variation(image: Tensor) -> Tensor:
    """Return the mean squared difference of neighbours, (N,), of images (N, 3, H, W)."""
    down = image.diff(dim=2).square().flatten(1).mean(1)
    return down + image.diff(dim=3).square().flatten(1).mean(1)


class Objective:
    """The objective of pictures of ``photo`` (N, 3, H, W) in a style.

    ``styles`` are images (1, 3, h, w) of any sizes, or (N, 3, h, w) for a style of each photo, each
    with its share; the style is the weighted mean of their Gram matrices.
    """

    def __init__(
        self,
        extractor: Extractor,
        eyes: Eyes,
        photo: Tensor,
        styles: Sequence[tuple[Tensor, float]],
        weights: Weights,
    ):
        self.extractor, self.eyes, self.weights = extractor, eyes, weights
        with torch.no_grad():
            features = self._features(photo)
            self.contents = {name: features[name] for name in eyes.content}
            total = sum(share for _, share in styles)
            self.grams: dict[str, Tensor] = {}
            for image, share in styles:
                features = self._features(image)
                for name in eyes.style:
                    part = gram(features[name]) * (share / total)
                    self.grams[name] = self.grams[name] + part if name in self.grams else part

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Return ``content``, ``style`` and ``variation``, each (N,), weighted."""
        features = self._features(image)
        content = [_relative(features[name], value) for name, value in self.contents.items()]
        style = [_relative(gram(features[name]), value) for name, value in self.grams.items()]
        return {
            "content": torch.stack(content).mean(0),
            "style": self.weights.style * torch.stack(style).mean(0),
            "variation": self.weights.variation * variation(image),
        }

    def _features(self, image: Tensor) -> dict[str, Tensor]:
        zoom = self.eyes.zoom
        return self.extractor(
            interpolate(image, scale_factor=zoom, mode="bicubic") if zoom > 1 else image
        )


def _relative(value: Tensor, target: Tensor) -> Tensor:
    """Return the squared distance of each example from its target, over the target's square."""
    distance = (value - target).square().flatten(1).sum(1)
    return distance / target.square().flatten(1).sum(1).clamp(min=1e-12)
