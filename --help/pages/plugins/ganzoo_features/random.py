"""Random features, to measure what a trained network adds to an untrained one.

Such features carry a surprising share of a trained network's style: Ustyuzhaninov et al. 2016,
https://arxiv.org/abs/1606.00021.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import nn

from ganzoo_features.backbone import Backbone, needed

DEPTH = 4
SLOPE = 0.2


class RandomFeatures(Backbone):
    """Four convolutions with random weights, for tests and as a baseline; needs no file.

    Weights: drawn uniformly with He's variance from a separate generator, so that a seed gives the
    same everywhere.  Input: RGB in [-1, 1], unchanged, any size.

    Layers: conv1 to conv4 of stride 2, 4, 8 and 16, each before its leaky ReLU.

    Args:
        seed: Of the weights.
        layers: Which to return.
        channels: Of each layer.
    """

    tag = "random"
    rankable = False

    def __init__(
        self,
        seed: int = 0,
        layers: list[str] = ["conv3"],  # noqa: B006
        channels: Annotated[int, Ge(1)] = 16,
    ):
        rng = torch.Generator().manual_seed(seed)
        chain: dict[str, nn.Module] = {}
        for i in range(1, DEPTH + 1):
            conv = nn.Conv2d(channels if i > 1 else 3, channels, 3, stride=2, padding=1, bias=False)
            reach = math.sqrt(6 / (1 + SLOPE**2) / conv.weight[0].numel())
            # rand is exact on every machine, unlike randn
            conv.weight.data = (torch.rand(conv.weight.shape, generator=rng) * 2 - 1) * reach
            chain |= {f"conv{i}": conv, f"_relu{i}": nn.LeakyReLU(SLOPE)}
        super().__init__(nn.Identity(), needed(chain, layers), layers)
