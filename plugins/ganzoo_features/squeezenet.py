"""SqueezeNet 1.1: Iandola et al. 2016, https://arxiv.org/abs/1602.07360."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ganzoo_features.backbone import Backbone, caffe, fill, needed
from ganzoo_features.weights import Source, Weights

CONVERTED = Source(
    what="SqueezeNet 1.1's ImageNet weights (MIT, DeepCognition/keras-squeezenet)",
    get=(
        "convert squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 of "
        "https://github.com/DeepCognition/keras-squeezenet to safetensors, with the names of "
        "torchvision's squeezenet1_1().features and kernels as OIHW"
    ),
    place="squeezenet1_1-features.safetensors",
    sha256="bfdc076a78aefc91853ea44770ff3838902a27fe44c835e9ae0112bfd31a2100",
)


def network() -> dict[str, nn.Module]:
    """Return the layers in order, as torchvision numbers them."""
    return {
        "conv1": nn.Conv2d(3, 64, 3, stride=2),
        "relu1": nn.ReLU(),
        "pool1": _pool(),
        "fire2": Fire(64, 16, 64),
        "fire3": Fire(128, 16, 64),
        "pool3": _pool(),
        "fire4": Fire(128, 32, 128),
        "fire5": Fire(256, 32, 128),
        "pool5": _pool(),
        "fire6": Fire(256, 48, 192),
        "fire7": Fire(384, 48, 192),
        "fire8": Fire(384, 64, 256),
        "fire9": Fire(512, 64, 256),
    }


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class Fire(nn.Module):
    """Squeeze by 1x1, expand by 1x1 and 3x3 side by side, a ReLU after each."""

    def __init__(self, inputs: int, narrow: int, wide: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 2 * wide, h, w)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


class SqueezeNet(Backbone):
    """SqueezeNet 1.1 trained on ImageNet-1k: 0.7 million parameters, the fastest extractor.

    Weights: ``squeezenet1_1-features.safetensors`` (SHA-256 bfdc076a...), converted from
    keras-squeezenet, with torchvision's names.  Input: any size from 21 pixels; scaled to 0..255,
    blue first, minus 103.939, 116.779, 123.68, no standard deviation.

    Layers, with channels and stride: conv1 64, 2 (before its ReLU); relu1; pool1 64, 4; fire2 and
    fire3 128, 4; pool3 128, 8; fire4 and fire5 256, 8; pool5 256, 16; fire6 and fire7 384, 16;
    fire8 and fire9 512, 16.  A fire ends in a ReLU, so its features have no negatives.

    Args:
        layers: Which to return. fire5 is the last with the stride of VGG19's conv4_4, 8.
        weights: A .safetensors or .pth file with the names of torchvision's features, for this
            input; by default ``weights/squeezenet1_1-features.safetensors`` of the cache.
    """

    smallest = 21

    def __init__(self, layers: list[str] = ["fire5"], weights: Path | None = None):  # noqa: B006
        chain = needed(network(), layers)
        file = Weights.read(CONVERTED.find(weights)).without("features.")
        fill(chain, file)
        super().__init__(caffe(), chain, layers)
        self.tag = file.tag("squeezenet", CONVERTED.sha256)
