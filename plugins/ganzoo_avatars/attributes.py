"""Read an avatar's hair, skin and background from its pixels, by a small network.

``python -m ganzoo_avatars.attribute_training`` trains it on the avatars themselves; its weights,
and how often it is right on avatars that it has not seen, are in ``attributes.safetensors`` and
``attributes.json`` beside this file.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo_avatars.styles import BACKGROUND, HAIR, SKIN
from ganzoo_avatars.trained import filled

#: attribute -> its values, in the order of the logits
VALUES: dict[str, tuple[str, ...]] = {
    "hair": tuple(HAIR),
    "skin": tuple(SKIN),
    "background": tuple(BACKGROUND),
}
WEIGHTS, FACTS = "attributes.safetensors", "attributes.json"
#: the hash of the weights that ganzoo ships; protocols name it
SHA256 = "a5ef7a768ac2baab64b0c53edf7efdb1bc1adcbee4042334525547e8e8973b1f"
#: height and width of what the network sees
SIDE = 32


class AttributeNet(nn.Module):
    """Four convolutions and two layers: (N, 3, H, W) in [-1, 1] to logits by attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 64, 64)
        strides = (2, 2, 2, 1)
        layers: list[nn.Module] = []
        for i, stride in enumerate(strides):
            layers += [nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 96), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(96, len(v)) for name, v in VALUES.items()})

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits (N, values) of each attribute."""
        if image.shape[2:] != (SIDE, SIDE):
            image = interpolate(
                image, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            )
        features = self.body(image)
        return {name: head(features) for name, head in self.heads.items()}


def trained() -> AttributeNet:
    """Open the shipped network; raises DataError if its file is not the one that was shipped."""
    return filled(AttributeNet(), __name__, "attribute_training", WEIGHTS, SHA256)


def facts() -> dict[str, Any]:
    """Return what is known of the shipped network: data, held-out accuracy and confusion."""
    text = (resources.files("ganzoo_avatars") / FACTS).read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@torch.no_grad()
def read(network: AttributeNet, image: Tensor) -> dict[str, Tensor]:
    """Return the index (N,) of each attribute's value in images (N, 3, H, W) in [-1, 1]."""
    return {name: logits.argmax(1) for name, logits in network(image).items()}
