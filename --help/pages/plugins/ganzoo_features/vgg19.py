"""VGG19: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import nn

from ganzoo_features.backbone import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Backbone,
    Prepare,
    caffe,
    fill,
    needed,
)
from ganzoo_features.weights import Source, Weights

BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))  # convolutions and channels of each


SOURCES = {
    "torchvision": Source.download(
        "VGG19's ImageNet weights (BSD-3-Clause, torchvision, 548 MB)",
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    ),
    "caffe": Source.download(
        "VGG19's ImageNet weights from Caffe (CC BY 4.0, jcjohnson/pytorch-vgg, 548 MB)",
        "https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
    ),
}


def network(blocks: Sequence[tuple[int, int]] = BLOCKS) -> dict[str, nn.Module]:
    """Return the layers in order, as the paper names them: conv1_1, relu1_1, ..., pool5.

    ``blocks`` has the convolutions and channels of each block.
    """
    layers: dict[str, nn.Module] = {}
    inputs = 3
    for block, (convolutions, channels) in enumerate(blocks, 1):
        for i in range(1, convolutions + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(inputs, channels, 3, padding=1)
            layers[f"relu{block}_{i}"] = nn.ReLU()
            inputs = channels
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    return layers


class VGG19(Backbone):
    """VGG19 trained on ImageNet-1k, by the paper's layer names; conv4_4 is before its ReLU.

    Weights: torchvision's vgg19-dcbb9e9d.pth (SHA-256 dcbb9e9d...), from the cache or downloaded.
    Input: RGB, scaled to [0, 1], minus 0.485, 0.456, 0.406, over 0.229, 0.224, 0.225.  With scale
    caffe, pytorch-vgg's vgg19-d01eb7cb.pth (SHA-256 d01eb7cb...), the authors' own; blue first,
    0..255, minus 103.939, 116.779, 123.68, no standard deviation.  Images keep their size; a layer
    of block 5 needs 16 pixels.

    Layers, with channels and stride: conv1_1, conv1_2 64, 1; conv2_1, conv2_2 128, 2; conv3_1 to
    conv3_4 256, 4; conv4_1 to conv4_4 512, 8; conv5_1 to conv5_4 512, 16; relu1_1 and so on
    after their ReLU; pool1 to pool5 at half the size.

    Args:
        layers: Which to return; nothing deeper is computed, or kept in memory.
        weights: A .pth or .safetensors file with torchvision's names, with or without
            ``features.``; by default the scale's own.
        scale: What the weights were trained on.  With caffe, features and their gradients have
            another magnitude, so change the loss's weight.
    """

    def __init__(
        self,
        layers: list[str] = ["conv4_4"],  # noqa: B006
        weights: Path | None = None,
        scale: Literal["torchvision", "caffe"] = "torchvision",
    ):
        chain = needed(network(), layers)
        file = Weights.read(SOURCES[scale].find(weights)).without("features.")
        fill(chain, file)
        rgb = Prepare(0.5, IMAGENET_MEAN, IMAGENET_STD)
        super().__init__(caffe() if scale == "caffe" else rgb, chain, layers)
        name = "vgg19" if scale == "torchvision" else "vgg19-caffe"
        self.tag = file.tag(name, SOURCES[scale].sha256)
        self.smallest = 2 ** sum(name.startswith("pool") for name in chain)
